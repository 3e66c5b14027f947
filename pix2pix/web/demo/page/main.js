// Connects the page: drawing, tools, stream to the engine, results.

import { fillAbout } from "./about.js";
import { Autosave } from "./autosave.js";
import { connectButtons, connectSharing } from "./buttons.js";
import { Copier } from "./copier.js";
import { DERIVATION_NAMES } from "./derivations.js";
import { Drawing } from "./drawing.js";
import { Film } from "./film.js";
import { History } from "./history.js";
import { Link } from "./link.js";
import { hush, say, showMeter, showState, veil } from "./messages.js";
import { Palette } from "./palette.js";
import { Results } from "./results.js";
import { shortcuts } from "./shortcuts.js";
import { Sources } from "./sources.js";
import { recall, remember } from "./storage.js";
import { Stream } from "./stream.js";
import { Tools } from "./tools.js";
import { Variations } from "./variations.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);

const HINTS = {
  labels: "Choose a class and draw: strokes are translated as you draw.",
  edges: "Draw with the pen, drop a picture, or start the camera.",
  photo: "Drop or paste a picture, or start the camera; then draw over it.",
};
const TOUCH_HINTS = {
  labels: "Choose a class and draw. Two fingers zoom.",
  edges: "Draw, or choose a picture. Two fingers zoom.",
  photo: "Choose a picture, then draw over it. Two fingers zoom.",
};

function describe({ runs, canvas }) {
  const [run] = runs, names = runs.length > 1 ? `${runs.length} runs` : run.name, root = document.documentElement;
  $("subject").textContent = run.data === run.name ? run.data : `${run.data} · ${names}`;
  document.body.dataset.kind = canvas.kind;
  const steps = [...new Set(runs.map((each) => each.step.toLocaleString("en")))].join(", ");
  $("facts").textContent = `${canvas.width} × ${canvas.height} pixels · trained for ${steps} steps · ${[...new Set(runs.map((each) => each.checkpoint))].join(", ")}`;
  root.style.setProperty("--shape", `${canvas.width} / ${canvas.height}`);
  root.style.setProperty("--aspect", canvas.width / canvas.height);
  $("noise").hidden = $("vary").hidden = $("seed-choice").hidden = !runs.some((each) => each.noise);
  $("camera").hidden = canvas.kind === "labels";
  $("clean-choice").hidden = canvas.kind !== "labels";
  // For a run whose inputs are derived from photos: whoever has inputs already can turn that off.
  $("derive-choice").hidden = !canvas.derivation;
  if (canvas.derivation) $("derive-name").textContent = DERIVATION_NAMES[canvas.derivation.operation];
  return (matchMedia("(pointer: coarse)").matches ? TOUCH_HINTS : HINTS)[canvas.kind];
}

function addSamples(samples, sources) {
  $("samples").append(...samples.map(({ input }, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sample" });
    button.append(Object.assign(new Image(), { src: input, alt: `Sample ${number + 1}`, loading: "lazy" }));
    button.addEventListener("click", () => { sources.sample(number); document.body.classList.remove("shelf-open"); });
    return button;
  }));
}

// All parts of the page; nothing here waits, so that the page is whole when it is first painted.
function build(pageData) {
  const drawing = new Drawing($("drawing"), pageData.canvas), history = new History(drawing);
  const results = new Results($("results"), pageData, { select: $("over"), range: $("cut") });
  results.input = drawing.canvas;
  const tools = new Tools(drawing, history, $("cursor"));
  tools.copier = new Copier(drawing, history, $("marked"));
  const palette = new Palette(tools, pageData.canvas), view = new View($("stage"), $("sheet"), $("whole"), tools);
  const sources = new Sources(drawing, history, pageData, {
    say, isFree: () => !page.stream?.busy, endStroke: () => tools.finish(),
    settings: { derives: () => $("derive").checked, cleans: () => $("clean").checked },
    oncamera: (isOn) => $("camera").setAttribute("aria-pressed", String(isOn)),
  });
  tools.onstroke = () => { hush(); if (sources.camera.stop()) say("The camera has stopped: you draw on its last picture."); };
  addSamples(pageData.samples, sources);
  const isStill = () => page.stream !== null && !page.stream.busy && !tools.drawingNow && !sources.camera.isOn;
  const page = { pageData, drawing, history, results, tools, palette, view, sources, isStill, stream: null };
  page.autosave = new Autosave(drawing, sources, pageData);
  page.link = new Link(drawing, sources, pageData.canvas, () => results.choice());
  page.film = new Film($("film"), drawing, history, { isStill, output: () => results.first() });
  page.variations = new Variations($("variations"), $("vary"), {
    isStill, translate: (extras) => page.stream.ask(extras), keep: (seed) => setSeed(page, seed),
  });
  fillAbout($("about-runs"), pageData.runs, results);
  sources.listen(document.body);
  shortcuts($("letters"));
  connectButtons(page, setSeed);
  connectSharing(page);
  keepSettings(page);
  return page;
}

function setSeed({ drawing, history }, seed) {
  if (seed === drawing.seed) return;
  history.begin();
  drawing.seed = seed;
  drawing.changed();
}

// Tool, brush and size are the user's own until they are changed again.
function keepSettings({ palette, tools, pageData: { canvas } }) {
  const kept = recall("tools"), brush = canvas.brushes.findIndex(({ name }) => name === kept?.brush);
  if (kept) {
    if (brush >= 0) palette.brush(brush);
    palette.size(Math.min(kept.size, Number($("size").max)));
    palette.tool(kept.tool);
  }
  palette.onchange = () => remember("tools", { tool: palette.before, brush: $("brush-name").textContent, size: tools.size });
}

function follow(page) {
  const { drawing, history, results, stream } = page;
  drawing.onchange = () => {
    for (const [id, steps] of [["undo", history.past], ["redo", history.future]]) $(id).disabled = !steps.length;
    results.setTarget(drawing.start.target);
    if ($("over").value === "input") results.compare();
    $("seed").value = drawing.seed;
    if (page.hasBegun && location.hash) window.history.replaceState(null, "", location.pathname + location.search); // it tells of another drawing
    stream.offer();
    for (const part of [page.autosave, page.film, page.variations]) part.later();
  };
  results.onchoice = () => { stream.offer(); page.variations.later(); };
}

// The drawing of the address, else the one of the last visit, else the first sample.
async function begin({ drawing, history, sources, autosave, results, link, pageData }) {
  const kept = await autosave.state().catch(() => null);
  const given = await link.read(location.hash).catch((error) => say(`The link cannot be read: ${error.message}.`, true)) ?? null;
  if (given?.runs) results.choose(given.runs);
  else if (pageData.browser) results.choose([0]); // each run that is chosen is downloaded
  if (kept) drawing.restore(kept);
  else if (pageData.samples.length && !given?.state) await sources.sample(0);
  history.past.length = 0;
  if (given?.state && kept) history.go(given.state);
  else if (given?.state) drawing.restore(given.state);
  else if (given) drawing.seed = given.seed;
}

async function main() {
  const pageData = JSON.parse($("page-data").textContent), page = build(pageData), hint = describe(pageData);
  $("blocked").remove();
  // The model runs on the server or in this browser; data-engine of the html element tells which.
  const name = document.documentElement.dataset.engine === "browser" ? "./browser.js" : "./server.js";
  const engine = (await import(name)).open(pageData, { onstate: showState, onprogress: veil });
  page.stream = new Stream(engine, page.drawing, {
    runs: () => page.results.chosen(), onresult: (result) => page.results.show(result),
    onbusy: (busy) => document.body.classList.toggle("busy", busy),
    onmeter: (figures) => { showMeter(figures); document.body.dataset.frame = figures.frame; }, onerror: (error) => say(error.message, true),
  });
  say(hint);
  await begin(page);
  follow(page);
  page.drawing.changed();
  page.hasBegun = true;
}

main().catch((error) => say(`The page could not start: ${error.message}`, true));
