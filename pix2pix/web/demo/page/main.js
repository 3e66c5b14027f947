// Connects the page: drawing, tools, stream to the engine, results.

import { DERIVATION_NAMES } from "./derivations.js";
import { Drawing } from "./drawing.js";
import { Palette } from "./palette.js";
import { Results } from "./results.js";
import { shortcuts } from "./shortcuts.js";
import { Sources } from "./sources.js";
import { Stream } from "./stream.js";
import { Tools } from "./tools.js";

const $ = (id) => document.getElementById(id);
const seed = { value: 0 };

function showStatus(text, urgent = false) {
  $("status").textContent = text;
  $("status").classList.toggle("urgent", urgent);
}

function showMeter({ rate, delay }) {
  $("rate").textContent = rate === null ? "–" : rate.toFixed(rate < 10 ? 1 : 0);
  $("delay").textContent = Math.round(delay);
}

const HINTS = {
  labels: "Choose a class and draw: strokes are translated as you draw.",
  edges: "Draw with the pen, drop a picture, or start the camera.",
  photo: "Drop or paste a picture, or start the camera; then draw over it.",
};

function showTitle({ runs, canvas }) {
  const [run] = runs, names = runs.length > 1 ? `${runs.length} runs` : run.name;
  $("subject").textContent = run.data === run.name ? run.data : `${run.data} · ${names}`;
  document.title = `${run.data} – pix2pix`;
  document.body.dataset.kind = canvas.kind;
  const steps = [...new Set(runs.map((each) => each.step.toLocaleString("en")))].join(", ");
  $("facts").textContent = `${canvas.width} × ${canvas.height} pixels · trained for ${steps} steps · ${[...new Set(runs.map((each) => each.checkpoint))].join(", ")}`;
  showStatus(HINTS[canvas.kind]);
  document.documentElement.style.setProperty("--shape", `${canvas.width} / ${canvas.height}`);
  document.documentElement.style.setProperty("--aspect", canvas.width / canvas.height);
}

function addSamples(samples, sources) {
  $("samples").append(...samples.map((sample, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sample" });
    const image = Object.assign(new Image(), { src: sample.input, alt: `Sample ${number + 1}`, loading: "lazy" });
    button.append(image);
    button.addEventListener("click", () => sources.sample(sample));
    return button;
  }));
}

function connectButtons({ drawing, stream, sources, results }) {
  const on = (id, act) => $(id).addEventListener("click", act);
  on("undo", () => drawing.undo());
  on("redo", () => drawing.redo());
  on("clear", () => { sources.stopCamera(); results.setTarget(null); drawing.clear(); });
  on("noise", () => { seed.value = Math.floor(Math.random() * 2 ** 31); stream.offer(); });
  on("save", () => results.downloadAll());
  on("upload", () => $("file").click());
  on("help", () => $("keys").showModal());
  on("theme", () => {
    const root = document.documentElement, dark = getComputedStyle(root).colorScheme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
  });
  $("file").addEventListener("change", () => { if ($("file").files.length) sources.file($("file").files[0]); $("file").value = ""; });
  on("camera", () => (sources.stream ? sources.stopCamera() : startCamera(sources, stream)));
  sources.onstop = () => $("camera").setAttribute("aria-pressed", "false");
}

// For a run whose inputs are derived from photos: whoever has inputs already can turn that off.
function offerDerivation({ derivation }) {
  if (!derivation) return;
  $("derive-name").textContent = DERIVATION_NAMES[derivation.operation];
  $("derive-choice").hidden = false;
}

async function startCamera(sources, stream) {
  await sources.startCamera(() => !stream.busy);
  $("camera").setAttribute("aria-pressed", String(sources.stream !== null));
}

// The model runs on the server or in this browser; data-engine of the html element tells which.
async function openEngine() {
  const name = document.documentElement.dataset.engine === "browser" ? "./browser.js" : "./server.js";
  return (await import(name)).open({ onstate: showState, onprogress: showStatus });
}

function showState(name) {
  document.body.dataset.state = name;
  if (name === "lost") showStatus("The demo does not respond; reconnecting.", true);
  else if ($("status").classList.contains("urgent")) showStatus("");
}

async function main() {
  const engine = await openEngine(), { pageData } = engine;
  showTitle(pageData);
  const drawing = new Drawing($("drawing"), pageData.canvas);
  const results = new Results($("results"), pageData, { select: $("over"), range: $("cut") });
  results.input = drawing.canvas;
  const stream = new Stream(engine, drawing, {
    seed: () => seed.value, runs: () => results.chosen(), onresult: (result) => results.show(result),
    onbusy: (busy) => document.body.classList.toggle("busy", busy),
    onmeter: (figures) => { showMeter(figures); document.body.dataset.frame = figures.frame; }, onerror: (error) => showStatus(error.message, true),
  });
  drawing.onchange = () => {
    for (const [id, steps] of [["undo", drawing.past], ["redo", drawing.future]]) $(id).disabled = !steps.length;
    if ($("over").value === "input") results.compare();
    stream.offer();
  };
  results.onchoice = () => stream.offer();
  const tools = new Tools(drawing, $("cursor"));
  new Palette(tools, pageData.canvas);
  const sources = new Sources(drawing, pageData.canvas, {
    onpicture: (target) => results.setTarget(target), onerror: (error) => showStatus(error.message, true), isDeriving: () => $("derive").checked,
  });
  sources.listen(document.body);
  connectButtons({ drawing, stream, sources, results });
  addSamples(pageData.samples, sources);
  shortcuts();
  offerDerivation(pageData.canvas);
  $("noise").hidden = !pageData.runs.some((run) => run.noise);
  if (pageData.samples.length) await sources.sample(pageData.samples[0]);
  else drawing.changed();
  drawing.past.length = 0;
  $("undo").disabled = true;
}

main().catch((error) => showStatus(`The page could not start: ${error.message}`, true));
