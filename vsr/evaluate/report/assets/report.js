"use strict";
for (const box of document.querySelectorAll("[data-compare]")) {
  const slider = box.querySelector("input");
  const move = () => {
    box.style.setProperty("--pos", slider.value + "%");
    slider.setAttribute("aria-valuetext", slider.value + " % source");
  };
  slider.addEventListener("input", move);
  move();
}
for (const track of document.querySelectorAll("[data-track]")) {
  const pairs = [...track.querySelectorAll("[data-pair]")];
  const buttons = [...track.querySelectorAll("[data-show]")];
  const show = (at) => {
    pairs.forEach((pair, i) => pair.classList.toggle("away", i !== at));
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === at)));
  };
  buttons.forEach((button, i) => button.addEventListener("click", () => show(i)));
  show(0);
  for (const [name, shown] of [["pixels", "raw"], ["fused", "averaged"]]) {
    const box = track.querySelector(`[data-${name}]`);
    box?.addEventListener("change", () => track.classList.toggle(shown, box.checked));
  }
  track.querySelector("[data-controls]").hidden = false;
}
const faces = new Map(
  [...document.querySelectorAll("[data-track]")].map((t) => [t.dataset.track, t.id]),
);
for (const label of document.querySelectorAll("[data-face]")) {
  label.style.left = label.dataset.x + "%";
  label.style.top = label.dataset.y + "%";
  label.classList.add("placed");
  if (faces.has(label.dataset.face)) label.href = "#" + faces.get(label.dataset.face);
  else label.removeAttribute("href");
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((d) => (d.open = true));
});
addEventListener("afterprint", () => opened.forEach((d) => (d.open = false)));
