/* Sliders of the book's figures: gweebp/figures/interactive.py writes the HTML and the data, this moves them. */
"use strict";

const percent = (x, digits = 1) => `${(100 * x).toFixed(digits)}%`;

const loaded = (source) =>
  new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = source;
  });

/** The pixels of a data URI, as a canvas reads them. */
async function pixels(source) {
  const image = await loaded(source);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** SR against FAR as a line, with a dot that can be moved. */
function chart(place, method) {
  const at = (far, sr) => [34 + 160 * far, 164 - 150 * sr];
  const line = method.far.map((far, i) => at(far, method.sr[i]).join(",")).join(" ");
  place.innerHTML = `<svg viewBox="0 0 204 200" role="img" aria-label="SR against FAR, with a dot at the slider">
    <rect x="34" y="14" width="160" height="150" fill="#fff" stroke="#767676"/>
    <polyline points="${line}" fill="none" stroke="${method.color}" stroke-width="2"/><circle r="5" fill="#222"/>
    <text x="114" y="194" text-anchor="middle">FAR</text><text x="12" y="92" text-anchor="middle">SR</text>
    <text x="34" y="178" text-anchor="middle">0</text><text x="194" y="178" text-anchor="middle">1</text>
    <text x="30" y="168" text-anchor="end">0</text><text x="30" y="20" text-anchor="end">1</text></svg>`;
  const dot = place.querySelector("circle");
  return (far, sr) => ["cx", "cy"].forEach((name, i) => dot.setAttribute(name, at(far, sr)[i]));
}

async function threshold(figure, data) {
  const [slider, select] = [figure.querySelector("input"), figure.querySelector("select")];
  const [map, blend] = figure.querySelectorAll(".stack");
  const [before, after] = await Promise.all([pixels(data.op), pixels(data.ip)]);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [before.width, before.height];
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", blend.querySelector("img").alt);
  blend.querySelector("img").replaceWith(canvas);
  const context = canvas.getContext("2d");
  let method, steps, mark;

  function draw() {
    const k = Number(slider.value);
    const shown = new Uint8ClampedArray(before.data);
    for (let i = 0; i < shown.length; i += 4)
      if (steps.data[i] <= k) shown.set(after.data.subarray(i, i + 4), i);
    context.putImageData(new ImageData(shown, before.width), 0, 0);
    mark(method.far[k], method.sr[k]);
    const share = percent(k / slider.max, 0);
    slider.setAttribute("aria-valuetext", `${share} of the mass`);
    figure.querySelector(".says").textContent =
      `${share} of the mass: this blend is matched to ${method.matched[k] ? "IN" : "OM"}, at ` +
      `${percent(method.alone[k])} false alarms. Over all ${data.count} quadruplets: SR ${percent(method.sr[k])} ` +
      `at FAR ${percent(method.far[k])}.`;
  }

  async function choose() {
    method = data.methods[select.value];
    steps = await pixels(method.steps);
    map.querySelectorAll("img")[1].src = method.map;
    mark = chart(figure.querySelector(".chart"), method);
    draw();
  }

  slider.addEventListener("input", draw);
  select.addEventListener("change", choose);
  await choose();
}

function layers(figure, data) {
  const slider = figure.querySelector("input");
  const over = [...figure.querySelectorAll(".stack")].map((stack) => stack.querySelectorAll("img")[1]);
  function draw() {
    const layer = data[slider.value];
    over.forEach((image, side) => (image.src = layer.maps[side]));
    slider.setAttribute("aria-valuetext", layer.name);
    figure.querySelector(".says").textContent = `${layer.name}: ${layer.says}`;
  }
  slider.addEventListener("input", draw);
  draw();
}

function walk(figure, data) {
  const [slider, frame] = [figure.querySelector("input"), figure.querySelector(".frame")];
  function draw() {
    const step = data[slider.value];
    frame.src = step.frame;
    slider.setAttribute("aria-valuetext", step.name);
    figure.querySelector(".says").textContent = `${step.name}: ${step.says}`;
  }
  slider.addEventListener("input", draw);
  slider.value = 0;
  draw();
}

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll(".interactive")) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    Promise.resolve({ threshold, layers, walk }[figure.dataset.kind](figure, data)).then(() => {
      figure.querySelector(".controls").hidden = false;
      figure.classList.add("live");
    });
  }
});
