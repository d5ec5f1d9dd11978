// Shows openapi.json: routes by tag, each with its examples and answers.
"use strict";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Text with `code` in it.
function prose(text) {
  return text.split("`").map((part, place) => (place % 2 === 1 ? make("code", {}, part) : part));
}

const spec = { current: null };

function resolve(value) {
  const path = value?.$ref?.slice(2).split("/");
  return path ? path.reduce((at, name) => at[name], spec.current) : value;
}

function exampleOf(content) {
  return Object.values(content ?? {})[0]?.example;
}

function pretty(example) {
  return make("pre", { tabindex: "0" }, make("code", {}, JSON.stringify(example, null, 2)));
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function curl(path, example) {
  const json = JSON.stringify(example);
  return `curl ${location.origin}${path} -H 'Content-Type: application/json' -d ${quoted(json)}`;
}

function fieldsOf(operation) {
  const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const schemas = (schema?.oneOf ?? [schema]).map(resolve).filter(Boolean);
  const fields = new Map();
  schemas.forEach(({ properties }) => Object.entries(properties ?? {}).forEach(([name, field]) => fields.set(name, resolve(field))));
  return fields;
}

function headersOf(operation) {
  const headers = (operation.parameters ?? []).map(resolve).filter((parameter) => parameter.in === "header");
  return new Map(headers.map((header) => [header.name, header]));
}

function fieldTable(fields) {
  const rows = [...fields].map(([name, field]) => {
    const standard = field.default === undefined ? "" : `; default: \`${JSON.stringify(field.default)}\``;
    return make("tr", {}, make("td", {}, make("code", {}, name)), make("td", {}, ...prose(`${field.description ?? ""}${standard}`)));
  });
  return make("table", {}, ...rows);
}

function answerTable(responses) {
  const rows = Object.entries(responses).map(([status, response]) => {
    const { description, content } = resolve(response);
    const type = exampleOf(content)?.error_type;
    return make("tr", {}, make("td", {}, make("code", {}, status)), make("td", {}, description + (type ? ` (${type})` : "")));
  });
  return make("table", {}, ...rows);
}

function show(path, method, operation) {
  const summary = make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path), make("span", {}, operation.summary));
  const body = make("div", { class: "body" });
  if (operation.description) {
    body.append(make("p", {}, ...prose(operation.description)));
  }
  const fields = fieldsOf(operation);
  if (fields.size > 0) {
    body.append(make("h3", {}, "Fields"), fieldTable(fields));
  }
  const headers = headersOf(operation);
  if (headers.size > 0) {
    body.append(make("h3", {}, "Headers"), fieldTable(headers));
  }
  const example = exampleOf(operation.requestBody?.content);
  if (example !== undefined) {
    body.append(make("h3", {}, "Request"), make("pre", { tabindex: "0" }, make("code", {}, curl(path, example))));
  }
  const answer = exampleOf(operation.responses["200"].content);
  if (answer !== undefined) {
    body.append(make("h3", {}, "Answer"), pretty(answer));
  }
  body.append(make("h3", {}, "Statuses"), answerTable(operation.responses));
  return make("li", {}, make("details", {}, summary, body));
}

function showAll() {
  document.getElementById("description").append(...prose(spec.current.info.description));
  for (const { name } of spec.current.tags) {
    const list = make("ul", { class: "routes" });
    for (const [path, methods] of Object.entries(spec.current.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags?.includes(name)) {
          list.append(show(path, method, operation));
        }
      }
    }
    document.getElementById("routes").append(make("h2", {}, name), list);
  }
}

async function start() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? system;
  try {
    spec.current = await (await fetch("/openapi.json")).json();
    showAll();
  } catch (error) {
    const place = document.getElementById("error");
    place.hidden = false;
    place.textContent = error.message;
  }
}

start();
