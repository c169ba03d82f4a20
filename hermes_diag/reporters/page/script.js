"use strict";
// The page is whole without this: it adds what a pointer or a key asks for.

const SVG = "http://www.w3.org/2000/svg";

function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView({ block: "center" });
}

// A cursor on the timeline: by pointer, or with the arrow keys, Home and End.
function readable(figure) {
  const plot = figure.querySelector("svg.plot");
  const points = figure.dataset.points.split("\n").map((line) => {
    const cut = line.indexOf("|");
    return { x: Number(line.slice(0, cut)), text: line.slice(cut + 1) };
  });
  const cursor = document.createElementNS(SVG, "line");
  for (const [name, value] of [["class", "cursor"], ["y1", 0], ["y2", "100%"], ["visibility", "hidden"]]) cursor.setAttribute(name, value);
  plot.append(cursor);
  const reading = document.createElement("output");
  reading.className = "reading";
  reading.textContent = "Arrow keys or pointer: the numbers of a moment";
  const drawing = figure.querySelector(".drawing");
  drawing.append(reading);
  drawing.tabIndex = 0;
  drawing.setAttribute("role", "group");
  drawing.setAttribute("aria-label", figure.querySelector("h4").textContent + ": arrow keys read the numbers of a moment");
  let now = -1;
  const show = (number) => {
    now = Math.max(0, Math.min(points.length - 1, number));
    cursor.setAttribute("x1", points[now].x + "%");
    cursor.setAttribute("x2", points[now].x + "%");
    cursor.setAttribute("visibility", "visible");
    reading.textContent = points[now].text;
  };
  drawing.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: points.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 100;
    let number = 0;
    while (number + 1 < points.length && points[number + 1].x <= x) number += 1;
    show(number);
  });
}

// What is said of a part of a chart, at once and also by touch.
function tips() {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.addEventListener("pointerover", (event) => {
    const part = event.target.closest && event.target.closest("svg *");
    let title = null;
    for (let at = part; at && !title; at = at.parentElement) title = at.querySelector(":scope > title");
    tip.hidden = !title;
    if (!title) return;
    tip.textContent = title.textContent;
    tip.style.left = Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.max(4, event.clientY - tip.offsetHeight - 10) + "px";
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
  });
}

// Paper cannot be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details.cell:not([open]), .found details:not([open]), main > section > .data:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)));

document.querySelectorAll("[data-points]").forEach(readable);
tips();
addEventListener("hashchange", reveal);
reveal();
