"use strict";
const articles = [...document.querySelectorAll("article")];
const marks = [...document.querySelectorAll("mark")];
const buttons = [...document.querySelectorAll("button[data-key]")];
const boxes = [...document.querySelectorAll("input[data-label]")];
const search = document.getElementById("search");
let chosen = null;

function refresh() {
  const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.label));
  const words = search.value.trim().toLocaleLowerCase();
  for (const mark of marks) {
    mark.classList.toggle("off", off.has(mark.dataset.label));
    mark.classList.toggle("chosen", chosen !== null && mark.dataset.key === chosen);
  }
  let shown = 0;
  for (const article of articles) {
    const named = chosen === null || [...article.querySelectorAll("mark")].some((mark) => mark.dataset.key === chosen);
    const found = words === "" || article.textContent.toLocaleLowerCase().includes(words);
    article.hidden = !(named && found);
    shown += article.hidden ? 0 : 1;
  }
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.key === chosen));
    button.parentElement.hidden = words !== "" && !button.textContent.toLocaleLowerCase().includes(words);
  }
  document.getElementById("count").textContent = shown < articles.length ? `${shown} shown.` : "";
}

for (const button of buttons) {
  button.addEventListener("click", () => { chosen = chosen === button.dataset.key ? null : button.dataset.key; refresh(); });
}
for (const mark of marks) {
  mark.addEventListener("click", () => { chosen = chosen === mark.dataset.key ? null : mark.dataset.key; refresh(); });
}
boxes.forEach((box) => box.addEventListener("change", refresh));
search.addEventListener("input", refresh);
