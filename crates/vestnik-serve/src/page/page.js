// The page to try Vestnik on. It talks to this server alone.
"use strict";

const element = (id) => document.getElementById(id);
const KNOWN_TYPES = ["PER", "ORG", "LOC", "EVT", "PRO"];
const TYPE_NAMES = { PER: "People", ORG: "Organisations", LOC: "Places", EVT: "Events", PRO: "Products" };
const STANCES = { favour: "▲", against: "▼" };
const LONGEST_LINK = 30000;

const state = { record: null, off: new Set(), running: null };

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function percent(score) {
  return score === undefined ? "" : `${Math.round(score * 100)} %`;
}

// Offsets of the answer count code points, strings of JavaScript count UTF-16 units.
function slicer(text) {
  const points = Array.from(text);
  return (start, end) => points.slice(start, end).join("");
}

async function read(text, model) {
  const headers = { "Content-Type": "application/json" };
  const key = element("key").value.trim();
  if (key) {
    headers.Authorization = `Bearer ${key}`;
  }
  state.running?.abort();
  state.running = new AbortController();
  const body = JSON.stringify(model ? { text, model } : { text });
  const response = await fetch("/v1/tag", { method: "POST", headers, body, signal: state.running.signal });
  const answer = await response.json();
  if (response.status === 401) {
    element("key-row").hidden = false;
    element("key").focus();
  }
  if (!response.ok) {
    throw new Error(answer.error ?? `The server answered ${response.status}`);
  }
  return answer;
}

async function submit() {
  const text = element("text").value;
  if (!text.trim()) {
    fail("There is no text yet: paste an article, or take a sample.");
    element("text").focus();
    return;
  }
  const begin = performance.now();
  fail("");
  element("tag").disabled = true;
  element("status").textContent = "Reading…";
  try {
    state.record = await read(text, element("model").value);
    state.off.clear();
    show(state.record, (performance.now() - begin) / 1000);
  } catch (error) {
    if (error.name !== "AbortError") {
      element("status").textContent = "";
      fail(error.message);
    }
  } finally {
    element("tag").disabled = false;
  }
}

function fail(message) {
  element("error").hidden = !message;
  element("error").textContent = message;
}

function show(record, seconds) {
  const { entities = [], vestnik } = record;
  const names = new Set(entities.map((entity) => nameKey(entity)));
  const mentions = `${entities.length} ${entities.length === 1 ? "mention" : "mentions"}`;
  element("status").textContent =
    `${mentions} of ${names.size} ${names.size === 1 ? "name" : "names"} in ${vestnik.tokens} tokens, ${seconds.toFixed(2)} s`;
  element("result").hidden = false;
  showArticle(record);
  showTopics(record.topics);
  showTypes(entities);
  showNames(entities);
  const { text, ...rest } = record;
  element("json-text").textContent = JSON.stringify({ text, ...rest }, null, 2);
}

function showArticle({ text, entities = [] }) {
  const slice = slicer(text);
  const nodes = [];
  let end = 0;
  for (const entity of entities) {
    if (entity.start < end) {
      continue;
    }
    nodes.push(slice(end, entity.start), mark(entity));
    end = entity.end;
  }
  nodes.push(slice(end));
  element("article").replaceChildren(...nodes);
}

function mark(entity) {
  const stance = entity.stance?.label;
  const says = [TYPE_NAMES[entity.label] ?? entity.label, percent(entity.score)];
  if (stance) {
    says.push(`stance: ${stance} ${percent(entity.stance.score)}`);
  }
  const node = make("mark", { "data-type": entity.label, "data-name": nameKey(entity), title: says.join(", ") }, entity.text);
  node.append(make("span", { class: "type" }, entity.label));
  if (STANCES[stance]) {
    const sign = make("span", { class: `stance ${stance}`, "aria-hidden": "true" }, STANCES[stance]);
    node.append(sign, make("span", { class: "hidden" }, ` (${stance})`));
  }
  return node;
}

function nameKey(entity) {
  return `${entity.label}\u0000${entity.text}`;
}

function showTopics(topics) {
  element("topics").hidden = !topics;
  const items = (topics ?? []).map(({ label, score }) => {
    const head = make("div", { class: "head" }, make("span", {}, label), make("span", {}, percent(score)));
    const fill = make("div", { class: "fill" });
    fill.style.width = `${score * 100}%`;
    return make("li", {}, head, make("div", { class: "track", "aria-hidden": "true" }, fill));
  });
  if (topics && items.length === 0) {
    items.push(make("li", { class: "empty" }, "None is probable."));
  }
  element("topic-list").replaceChildren(...items);
}

function counted(values) {
  const counts = new Map();
  values.forEach((value) => counts.set(value, (counts.get(value) ?? 0) + 1));
  return counts;
}

function showTypes(entities) {
  const counts = counted(entities.map((entity) => entity.label));
  const rank = (type) => (KNOWN_TYPES.includes(type) ? KNOWN_TYPES.indexOf(type) : KNOWN_TYPES.length);
  const types = [...counts.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const buttons = types.map((type) => {
    const label = TYPE_NAMES[type] ?? type;
    const button = make("button", { type: "button", "data-type": type, "aria-pressed": "true" }, label, make("span", {}, `${counts.get(type)}`));
    button.addEventListener("click", () => toggleType(type, button));
    return button;
  });
  element("legend").hidden = buttons.length === 0;
  element("types").replaceChildren(...buttons);
}

function toggleType(type, button) {
  state.off.has(type) ? state.off.delete(type) : state.off.add(type);
  button.setAttribute("aria-pressed", String(!state.off.has(type)));
  for (const node of document.querySelectorAll("#article mark")) {
    node.classList.toggle("off", state.off.has(node.dataset.type));
  }
  for (const node of document.querySelectorAll("#name-list li")) {
    node.hidden = state.off.has(node.dataset.type);
  }
}

function showNames(entities) {
  const counts = counted(entities.map(nameKey));
  const stances = stancesOf(entities);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const items = sorted.map(([key, count]) => {
    const [type, name] = key.split("\u0000");
    return make("li", { "data-type": type }, nameButton(key, type, name, count, stances.get(key)));
  });
  if (items.length === 0) {
    items.push(make("li", { class: "empty" }, "No names were found."));
  }
  element("name-list").replaceChildren(...items);
}

// What most mentions of a name say; neutral ones say nothing.
function stancesOf(entities) {
  const sums = new Map();
  for (const entity of entities) {
    const sign = { favour: 1, against: -1 }[entity.stance?.label] ?? 0;
    sums.set(nameKey(entity), (sums.get(nameKey(entity)) ?? 0) + sign);
  }
  return new Map([...sums].map(([key, sum]) => [key, sum > 0 ? "favour" : sum < 0 ? "against" : null]));
}

function nameButton(key, type, name, count, stance) {
  const button = make("button", { type: "button", "data-type": type, "aria-pressed": "false" });
  button.append(make("span", { class: "type" }, type), make("span", { class: "name" }, name));
  button.append(make("span", { class: `stance ${stance ?? ""}`, "aria-label": stance ? `stance: ${stance}` : "" }, STANCES[stance] ?? ""));
  button.append(make("span", { class: "count" }, `${count}×`));
  button.addEventListener("click", () => lightUp(key, button));
  return button;
}

function lightUp(key, button) {
  const lit = button.getAttribute("aria-pressed") !== "true";
  document.querySelectorAll("#name-list button").forEach((other) => other.setAttribute("aria-pressed", "false"));
  button.setAttribute("aria-pressed", String(lit));
  const marks = [...document.querySelectorAll("#article mark")];
  marks.forEach((node) => node.classList.toggle("lit", lit && node.dataset.name === key));
  if (lit) {
    selectTab("article");
    marks.find((node) => node.dataset.name === key)?.scrollIntoView({ block: "center" });
  }
}

function selectTab(name) {
  for (const panel of ["article", "json"]) {
    const tab = element(`tab-${panel}`);
    tab.setAttribute("aria-selected", String(panel === name));
    tab.tabIndex = panel === name ? 0 : -1;
    element(panel).hidden = panel !== name;
  }
}

function switchTab(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") {
    return;
  }
  const other = event.target.id === "tab-json" ? "article" : "json";
  selectTab(other);
  element(`tab-${other}`).focus();
  event.preventDefault();
}

// What stands behind # never leaves the browser: neither logs nor other servers see it.
function encodeText(text) {
  const bytes = new TextEncoder().encode(text);
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decodeText(code) {
  const binary = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}

async function copyLink() {
  const text = element("text").value;
  if (text.length > LONGEST_LINK) {
    fail("The article is too long for a link.");
    return;
  }
  const sample = document.querySelector('.chip[aria-pressed="true"]')?.dataset.sample;
  history.replaceState(null, "", sample ? `#sample=${sample}` : `#text=${encodeText(text)}`);
  await copy(location.href, element("link"), "Copy link");
}

async function copy(text, button, label) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = label === "Copy link" ? "It is in the address bar" : "Not copied";
  }
  setTimeout(() => { button.textContent = label; }, 2000);
}

async function takeSample(name) {
  const response = await fetch(`/page/sample-${name}.txt`);
  if (!response.ok) {
    fail(`There is no sample ${name}.`);
    return;
  }
  element("text").value = await response.text();
  pressSample(name);
  await submit();
}

function pressSample(name) {
  document.querySelectorAll(".chip").forEach((chip) => chip.setAttribute("aria-pressed", String(chip.dataset.sample === name)));
  for (const id of ["text", "article"]) {
    name ? element(id).setAttribute("lang", name) : element(id).removeAttribute("lang");
  }
}

async function followLink() {
  const [, kind, value] = location.hash.match(/^#(sample|text)=(.+)$/s) ?? [];
  if (kind === "sample") {
    await takeSample(value);
  } else if (kind === "text") {
    try {
      element("text").value = decodeText(value);
    } catch {
      fail("The link is damaged.");
      return;
    }
    pressSample(null);
    await submit();
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  element("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem("theme");
  setTheme(kept ?? (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => {
    if (!localStorage.getItem("theme")) {
      setTheme(system.matches ? "dark" : "light");
    }
  });
  element("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("theme", theme);
    setTheme(theme);
  });
}

async function showModels() {
  const response = await fetch("/info");
  if (!response.ok) {
    return;
  }
  const { version, models } = await response.json();
  const taggers = models.filter((model) => !model.tasks.includes("classify"));
  element("model").replaceChildren(...taggers.map((model) => make("option", { value: model.name }, model.name)));
  element("model-row").hidden = taggers.length < 2;
  element("about").textContent = `Vestnik ${version}, ${taggers.map((model) => `${model.name} on ${model.device}`).join(", ")}`;
}

function clear() {
  state.running?.abort();
  element("text").value = "";
  element("result").hidden = true;
  element("status").textContent = "";
  fail("");
  pressSample(null);
  history.replaceState(null, "", location.pathname);
  element("text").focus();
}

function start() {
  startTheme();
  pressSample(null);
  element("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  element("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      submit();
    }
  });
  element("text").addEventListener("input", () => pressSample(null));
  document.querySelectorAll(".chip").forEach((chip) => chip.addEventListener("click", () => takeSample(chip.dataset.sample)));
  element("clear").addEventListener("click", clear);
  element("link").addEventListener("click", copyLink);
  element("copy-json").addEventListener("click", () => copy(element("json-text").textContent, element("copy-json"), "Copy JSON"));
  for (const name of ["article", "json"]) {
    element(`tab-${name}`).addEventListener("click", () => selectTab(name));
    element(`tab-${name}`).addEventListener("keydown", switchTab);
  }
  addEventListener("hashchange", followLink);
  showModels().catch(() => {});
  followLink();
}

start();
