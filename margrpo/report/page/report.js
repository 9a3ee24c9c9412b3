"use strict";

for (const viewer of document.querySelectorAll("[data-viewer]")) {
  const slider = viewer.querySelector("input"), pictures = [...viewer.querySelectorAll("img")];
  const show = () => {
    pictures.forEach((picture, place) => { picture.hidden = place !== Number(slider.value); });
    viewer.querySelector("output").textContent = pictures[slider.value].dataset.step;
    slider.setAttribute("aria-valuetext", `after ${pictures[slider.value].dataset.step} steps`);
  };
  slider.addEventListener("input", show);
  show();
}

const validations = JSON.parse(document.getElementById("maps").textContent);
const $ = (id) => document.getElementById(id);
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const several = new Set(validations.map((validation) => validation.run)).size > 1;

function colour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1), from = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[from].map((value, c) => Math.round(value + (RAMP[from + 1][c] - value) * (place - from)));
}

function numbers(layer) {
  if (!layer.decoded) {
    const bytes = Uint8Array.from(atob(layer.values), (letter) => letter.charCodeAt(0));
    layer.decoded = new Float32Array(bytes.buffer);
  }
  return layer.decoded;
}

function short(value) {
  return value === null || Number.isNaN(value) ? "not known" : Number(value.toPrecision(3)).toString();
}

function options(select, words) {
  const kept = Math.min(Math.max(select.selectedIndex, 0), words.length - 1);
  select.replaceChildren(...words.map((word) => new Option(word)));
  select.selectedIndex = kept;
}

function chosen() {
  const validation = validations[$("validation").selectedIndex], image = validation.images[$("image").selectedIndex];
  const layer = $("layer").selectedIndex > 0 ? image.layers[$("layer").selectedIndex - 1] : null;
  const step = Number($("step").value), row = layer ? Math.min(step, layer.rows - 1) : 0;
  return { validation, image, layer, step, row };
}

function draw() {
  const { image, layer, step, row } = chosen(), canvas = $("frame"), brush = canvas.getContext("2d");
  const strip = image.loaded || (image.loaded = Object.assign(new Image(), { src: image.strip }));
  if (!strip.complete) { strip.onload = draw; return; }
  brush.imageSmoothingEnabled = false;
  brush.globalAlpha = 1;
  brush.filter = layer ? "grayscale(1)" : "none";
  brush.drawImage(strip, step * image.size, 0, image.size, image.size, 0, 0, canvas.width, canvas.height);
  brush.filter = "none";
  $("ar").textContent = `${image.steps[step] + 1}`;
  $("step").setAttribute("aria-valuetext", `AR step ${image.steps[step] + 1}`);
  $("meaning").textContent = layer ? layer.meaning + (layer.rows > 1 ? "" : "; the same at every AR step") : "";
  $("low").textContent = layer ? short(layer.low) : "";
  $("high").textContent = layer ? short(layer.high) : "";
  document.querySelector(".scale").style.visibility = layer ? "visible" : "hidden";
  if (!layer) return;
  const values = numbers(layer), side = image.side, width = canvas.width / side, range = layer.high - layer.low;
  brush.globalAlpha = Number($("share").value) / 100;
  for (let token = 0; token < side * side; token++) {
    const value = values[row * side * side + token];
    if (Number.isNaN(value)) continue;
    brush.fillStyle = `rgb(${colour(range > 0 ? (value - layer.low) / range : 0)})`;
    brush.fillRect((token % side) * width, Math.floor(token / side) * width, width + 0.5, width + 0.5);
  }
}

function renew() {
  const validation = validations[$("validation").selectedIndex];
  options($("image"), validation.images.map((image) => image.caption));
  const image = validation.images[$("image").selectedIndex];
  options($("layer"), ["the image alone", ...image.layers.map((layer) => layer.name)]);
  $("step").max = image.steps.length - 1;
  draw();
}

function under(event) {
  const { image, layer, row } = chosen(), canvas = $("frame"), place = canvas.getBoundingClientRect();
  const at = (offset, whole) => Math.min(Math.max(Math.floor((offset / whole) * image.side), 0), image.side - 1);
  const x = at(event.clientX - place.left, place.width), y = at(event.clientY - place.top, place.height);
  const value = layer ? numbers(layer)[row * image.side ** 2 + y * image.side + x] : NaN;
  $("under").textContent = layer ? `token (${x}, ${y}): ${layer.name} ${short(value)}` : `token (${x}, ${y})`;
}

if (validations.length) {
  $("tokens").hidden = false;
  options($("validation"), validations.map((validation) => (several ? `${validation.run}, ` : "") + `after ${validation.step} steps`));
  $("validation").selectedIndex = validations.length - 1;
  renew();
  $("layer").selectedIndex = Math.min(2, $("layer").options.length - 1);
  $("step").value = $("step").max;
  for (const id of ["validation", "image"]) $(id).addEventListener("change", renew);
  for (const id of ["layer", "step", "share"]) $(id).addEventListener("input", draw);
  $("choose").addEventListener("submit", (event) => event.preventDefault());
  $("frame").addEventListener("pointermove", under);
  draw();
} else {
  $("to-tokens").hidden = true;
}
