// Wires the page: one drawing, the tools for its kind, the stream to the engine, the results.

import { Drawing } from "./drawing.js";
import { Palette } from "./palette.js";
import { Results } from "./results.js";
import { shortcuts } from "./shortcuts.js";
import { Sources } from "./sources.js";
import { Stream } from "./stream.js";
import { Tools } from "./tools.js";

const $ = (id) => document.getElementById(id);
const seed = { value: 0 };

function say(text, urgent = false) {
  $("status").textContent = text;
  $("status").classList.toggle("urgent", urgent);
}

function meter({ rate, delay }) {
  $("rate").textContent = rate === null ? "–" : rate.toFixed(rate < 10 ? 1 : 0);
  $("delay").textContent = Math.round(delay);
}

const HINTS = {
  labels: "Choose a class and draw: every stroke is translated while you make it.",
  edges: "Draw with the pen, drop a picture, or point the camera at something.",
  photo: "Drop or paste a picture, or start the camera; then draw over it.",
};

function title({ runs, canvas }) {
  const [run] = runs, names = runs.length > 1 ? `${runs.length} runs` : run.name;
  $("subject").textContent = run.data === run.name ? run.data : `${run.data} · ${names}`;
  document.title = `${run.data} – pix2pix`;
  document.body.dataset.kind = canvas.kind;
  const steps = [...new Set(runs.map((each) => each.step.toLocaleString("en")))].join(", ");
  $("facts").textContent = `${canvas.width} × ${canvas.height} pixels · trained for ${steps} steps · ${[...new Set(runs.map((each) => each.checkpoint))].join(", ")}`;
  say(HINTS[canvas.kind]);
  document.documentElement.style.setProperty("--shape", `${canvas.width} / ${canvas.height}`);
  document.documentElement.style.setProperty("--aspect", canvas.width / canvas.height);
}

function shelf(samples, sources) {
  $("samples").append(...samples.map((sample, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sample" });
    const image = Object.assign(new Image(), { src: sample.input, alt: `Sample ${number + 1}`, loading: "lazy" });
    button.append(image);
    button.addEventListener("click", () => sources.sample(sample));
    return button;
  }));
}

function buttons({ drawing, stream, sources, results }) {
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
  on("camera", () => (sources.stream ? sources.stopCamera() : camera(sources, stream)));
  sources.onstop = () => $("camera").setAttribute("aria-pressed", "false");
}

async function camera(sources, stream) {
  await sources.startCamera(() => !stream.busy);
  $("camera").setAttribute("aria-pressed", String(sources.stream !== null));
}

// The model runs behind a websocket, or in this browser: the static page says so in its first line.
async function openEngine() {
  const name = document.documentElement.dataset.engine === "browser" ? "./browser.js" : "./server.js";
  return (await import(name)).open({ onstate: state, onprogress: say });
}

function state(name) {
  document.body.dataset.state = name;
  if (name === "lost") say("The demo is not answering; trying again.", true);
  else if ($("status").classList.contains("urgent")) say("");
}

async function main() {
  const engine = await openEngine(), { tour } = engine;
  title(tour);
  const drawing = new Drawing($("drawing"), tour.canvas);
  const results = new Results($("results"), tour, { select: $("over"), range: $("cut") });
  results.input = drawing.canvas;
  const stream = new Stream(engine, drawing, {
    seed: () => seed.value, runs: () => results.chosen(), onresult: (result) => results.show(result),
    onbusy: (busy) => document.body.classList.toggle("busy", busy),
    onmeter: (figures) => { meter(figures); document.body.dataset.frame = figures.frame; }, onerror: (error) => say(error.message, true),
  });
  drawing.onchange = () => {
    for (const [id, steps] of [["undo", drawing.past], ["redo", drawing.future]]) $(id).disabled = !steps.length;
    if ($("over").value === "input") results.compare();
    stream.offer();
  };
  results.onchoice = () => stream.offer();
  const tools = new Tools(drawing, $("cursor"));
  new Palette(tools, tour.canvas);
  const sources = new Sources(drawing, tour.canvas.kind, { onpicture: (target) => results.setTarget(target), onerror: (error) => say(error.message, true) });
  sources.listen(document.body);
  buttons({ drawing, stream, sources, results });
  shelf(tour.samples, sources);
  shortcuts();
  $("noise").hidden = !tour.runs.some((run) => run.noise);
  if (tour.samples.length) await sources.sample(tour.samples[0]);
  else drawing.changed();
  drawing.past.length = 0;
  $("undo").disabled = true;
}

main().catch((error) => say(`The page could not start: ${error.message}`, true));
