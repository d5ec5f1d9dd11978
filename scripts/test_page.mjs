// The page of `vestnik serve` in a real browser: type, click, read the highlights, follow links, look at it.
//
//   apt-get install chromium
//   npm install --prefix target/page playwright-core axe-core
//   cargo build --release && node scripts/test_page.mjs [PROGRAM] [FOLDER]
//
// PROGRAM is target/release/vestnik, FOLDER (for screenshots) target/page/shots. Exit code 0: all checks passed.
// It is no part of `cargo test`: a bare machine has no browser.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import assert from "node:assert/strict";

const packages = createRequire(resolve("target/page/package.json"));
const { chromium } = packages("playwright-core");
const axe = readFileSync(packages.resolve("axe-core/axe.min.js"), "utf8");
const program = process.argv[2] ?? "target/release/vestnik";
const folder = process.argv[3] ?? "target/page/shots";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

function start(...args) {
  const server = spawn(program, ["serve", "--port", "0", "--device", "cpu", ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const address = new Promise((found, failed) => {
    let text = "";
    server.stderr.on("data", (data) => {
      text += data;
      const match = text.match(/listening on (http:\S+)/);
      if (match) {
        found(match[1]);
      }
    });
    server.on("exit", () => failed(new Error(text)));
  });
  return { server, address };
}

async function answer(address, text) {
  const response = await fetch(`${address}/v1/tag`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text }),
  });
  return response.json();
}

// What is highlighted: names and types, in the order of the text.
async function highlights(page) {
  return page.$$eval("#article mark", (marks) =>
    marks.map((mark) => [mark.firstChild.textContent, mark.querySelector(".type").textContent]));
}

async function expectHighlights(page, address) {
  const text = await page.inputValue("#text");
  const { entities } = await answer(address, text);
  assert.ok(entities.length > 3);
  assert.deepEqual(await highlights(page), entities.map((entity) => [entity.text, entity.label]));
  const shown = await page.$eval("#article", (article) => {
    const copy = article.cloneNode(true);
    copy.querySelectorAll("mark .type, mark .stance, mark .hidden").forEach((node) => node.remove());
    return copy.textContent;
  });
  assert.equal(shown, text);
}

async function tagged(page) {
  await page.waitForFunction(() => /mention/.test(document.getElementById("status").textContent));
}

async function clean(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" | ")}`), [], name);
}

const checks = {
  async "samples are read and highlighted as the API says"({ page, address }) {
    await page.goto(address);
    for (const name of ["bg", "ru", "uk", "en"]) {
      await page.click(`[data-sample="${name}"]`);
      await page.waitForFunction((lang) => document.getElementById("article").lang === lang, name);
      await tagged(page);
      await page.waitForFunction(() => !document.getElementById("tag").disabled);
      await expectHighlights(page, address);
      await page.screenshot({ path: join(folder, `sample-${name}.png`) });
    }
  },
  async "typed text, emoji included, is read by Ctrl+Enter"({ page, address }) {
    await page.goto(address);
    await page.fill("#text", "🙂🙂 Виталий Кличко встретился с Марией Петровой в Киеве. 🇺🇦 Виталий Кличко говорил о НАТО.");
    await page.press("#text", "Control+Enter");
    await tagged(page);
    const text = await page.inputValue("#text");
    const { entities } = await answer(address, text);
    assert.deepEqual(await highlights(page), entities.map((entity) => [entity.text, entity.label]));
  },
  async "the keyboard does everything"({ page, address }) {
    await page.goto(address);
    await page.focus('[data-sample="uk"]');
    await page.keyboard.press("Enter");
    await tagged(page);
    await page.focus("#tab-article");
    await page.keyboard.press("ArrowRight");
    assert.ok(await page.isVisible("#json-text"));
    assert.equal(await page.getAttribute("#tab-json", "aria-selected"), "true");
    const shown = JSON.parse(await page.textContent("#json-text"));
    assert.deepEqual(shown, await answer(address, await page.inputValue("#text")));
    await page.keyboard.press("ArrowLeft");
    assert.ok(await page.isVisible("#article"));
    await page.focus("#name-list button");
    await page.keyboard.press("Enter");
    assert.ok((await page.$$("mark.lit")).length > 0);
  },
  async "names are counted and types can be hidden"({ page, address }) {
    await page.goto(`${address}/#sample=en`);
    await tagged(page);
    const marks = await highlights(page);
    const counts = await page.$$eval("#name-list .count", (nodes) => nodes.map((node) => parseInt(node.textContent, 10)));
    assert.equal(counts.reduce((a, b) => a + b, 0), marks.length);
    assert.deepEqual(counts, [...counts].sort((a, b) => b - a));
    const [, type] = marks[0];
    await page.click(`#types [data-type="${type}"]`);
    const off = await page.$$eval("mark.off", (nodes) => nodes.map((node) => node.dataset.type));
    assert.deepEqual(off, marks.map(([, label]) => label).filter((label) => label === type));
  },
  async "a link brings the text back and sends it nowhere else"({ page, address }) {
    await page.goto(address);
    const text = "Ursula von der Leyen met Emmanuel Macron in Paris. 😀";
    await page.fill("#text", text);
    await page.click("#tag");
    await tagged(page);
    await page.click("#link");
    await page.waitForFunction(() => location.hash.startsWith("#text="));
    const url = page.url();
    await page.goto("about:blank");
    await page.goto(url);
    await tagged(page);
    assert.equal(await page.inputValue("#text"), text);
  },
  async "mistakes are told"({ page, address }) {
    await page.goto(address);
    await page.click("#tag");
    assert.match(await page.textContent("#error"), /no text yet/);
    await page.fill("#text", "a".repeat(200_001));
    await page.click("#tag");
    await page.waitForFunction(() => /200000 characters/.test(document.getElementById("error").textContent));
    await page.goto(`${address}/#text=%%%`);
    await page.waitForFunction(() => /damaged/.test(document.getElementById("error").textContent));
  },
  async "nothing to find by a checker of accessibility, in light and in dark"({ page, address }) {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${address}/#sample=uk`);
    await tagged(page);
    await clean(page, "light");
    await page.click("#theme");
    assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    await clean(page, "dark");
    await page.screenshot({ path: join(folder, "dark.png") });
    await page.click("#tab-json");
    await clean(page, "JSON");
    await page.screenshot({ path: join(folder, "json.png") });
    await page.reload();
    assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    await page.click("#theme");
  },
  async "a phone shows it without scrolling sideways"({ page, address }) {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.goto(`${address}/#sample=bg`);
    await tagged(page);
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inner <= outer, `${inner} > ${outer}`);
    await clean(page, "phone");
    await page.screenshot({ path: join(folder, "phone.png") });
    await page.screenshot({ path: join(folder, "phone-full.png"), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
  },
  async "the docs show every operation"({ page, address }) {
    await page.goto(`${address}/docs`);
    await page.waitForSelector(".routes details");
    const { paths } = await (await fetch(`${address}/openapi.json`)).json();
    const n = Object.values(paths).flatMap((item) => Object.keys(item).filter((name) => name !== "parameters")).length;
    assert.equal((await page.$$(".routes details")).length, n);
    await page.click("summary >> nth=0");
    await clean(page, "docs");
    await page.screenshot({ path: join(folder, "docs.png") });
  },
};

async function withKeys(context) {
  const key = "0123456789abcdef-page";
  process.env.VESTNIK_API_KEYS = key;
  const { server, address } = start();
  delete process.env.VESTNIK_API_KEYS;
  const page = await context.newPage();
  await page.goto(await address);
  await page.fill("#text", "Maria Smith lives in Bath.");
  await page.click("#tag");
  await page.waitForSelector("#key-row:not([hidden])");
  await page.fill("#key", key);
  await page.press("#key", "Enter");
  await tagged(page);
  server.kill();
}

mkdirSync(folder, { recursive: true });
const { server, address: listening } = start();
const address = await listening;
const profile = mkdtempSync(join(tmpdir(), "vestnik-page-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, viewport: { width: 1280, height: 900 }, colorScheme: "light",
});
const page = await context.newPage();
const complaints = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("request", (request) => {
  if (!request.url().startsWith(address) && request.url() !== "about:blank") {
    complaints.push(`request to ${request.url()}`);
  }
});
let failed = 0;
checks["a key is asked for and used"] = () => withKeys(context);
for (const [name, check] of Object.entries(checks)) {
  try {
    await check({ page, address });
    assert.deepEqual(complaints, []);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    complaints.length = 0;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}
await context.close();
server.kill();
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
