// The curves of the shown groups, drawn by uPlot: a mean over seeds with a band of their standard deviation.
const metricNames = [...new Set(data.runs.flatMap((run) => Object.keys(run.curves)))].sort((a, b) => b.startsWith("val/") - a.startsWith("val/") || a.localeCompare(b));
$("metric").append(...metricNames.map((name) => make("option", { textContent: name })));
if (metricNames.includes("val/ssim")) $("metric").value = "val/ssim";
const MAX_BANDS = FIRST;
let plot = null;

const curveOf = (run, name) => { const found = data.runs[run].curves[name]; return found && [data.steps[found[0]], found[1]]; };
const meanOf = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const deviationOf = (values) => { const mean = meanOf(values); return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1)); };

// Lines of one group, each [steps, values, seed]; a mean also has the ends of its band.
function linesOf(number, name, separate) {
  const group = data.groups[number], curves = group.runs.map((run) => [curveOf(run, name), data.runs[run].seed]).filter(([curve]) => curve);
  if (!curves.length) return [];
  if (separate || curves.length === 1) return curves.map(([[steps, values], seed]) => ({ number, steps, values, seed: curves.length > 1 ? seed : null }));
  const at = new Map();
  for (const [[steps, values]] of curves) steps.forEach((step, i) => at.has(step) ? at.get(step).push(values[i]) : at.set(step, [values[i]]));
  const steps = [...at.keys()].sort((a, b) => a - b), means = steps.map((step) => meanOf(at.get(step)));
  const spreads = steps.map((step) => deviationOf(at.get(step)));
  return [{ number, steps, values: means, band: [means.map((mean, i) => mean + spreads[i]), means.map((mean, i) => mean - spreads[i])] }];
}

// All columns on one axis of steps; uPlot wants null where a line has no value.
function align(lines) {
  const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b), place = new Map(steps.map((step, i) => [step, i]));
  const spread = (line, values) => { const column = new Array(steps.length).fill(null); line.steps.forEach((step, i) => column[place.get(step)] = values[i]); return column; };
  return [steps, spread];
}

const themeColours = new Map(); // a canvas does not know the variables of a style sheet
const readColour = (name) => { const probe = make("i", { style: `color: var(${name}); display: none` }); document.body.append(probe); const colour = getComputedStyle(probe).color; probe.remove(); return colour; };
function cssColour(name) {
  if (!themeColours.has(name)) themeColours.set(name, readColour(name));
  return themeColours.get(name);
}

let plotWidth = 0;
function drawCurves() {
  const name = $("metric").value, shown = shownGroups(), separate = $("seeds")?.checked;
  const lines = shown.flatMap((number) => linesOf(number, name, separate));
  plot?.destroy(); plot = null; $("plot").replaceChildren();
  if (!lines.length) { $("plot").append(make("p", { className: "quiet", textContent: shown.length ? "No shown run has logged this metric." : "No run is shown." })); $("legend").replaceChildren(); return; }
  const [steps, spread] = align(lines), columns = [steps], bands = [];
  const series = [{}], quiet = cssColour("--quiet"), grid = { stroke: cssColour("--line"), width: 1 };
  for (const line of lines) {
    line.index = series.length;
    series.push({ label: data.groups[line.number].short, stroke: colourOf(line.number), width: 2, spanGaps: true, points: { show: line.steps.length < 3 } });
    columns.push(spread(line, line.values));
    if (!line.band || shown.length > MAX_BANDS) continue;
    for (const end of line.band) { series.push({ stroke: "transparent", width: 0, spanGaps: true, points: { show: false } }); columns.push(spread(line, end)); }
    bands.push({ series: [series.length - 2, series.length - 1], fill: colourOf(line.number, .15) });
  }
  const axis = (label, size) => ({ label, stroke: quiet, grid, ticks: grid, labelFont: "14px system-ui", font: "12px system-ui", size });
  plot = new uPlot({
    width: plotWidth || $("plot").clientWidth, height: Math.max(300, Math.min(560, window.innerHeight * .55)), series, bands,
    scales: { x: { time: false }, y: { distr: $("log").checked ? 3 : 1 } }, axes: [axis("training step", 44), axis(name, 68)],
    legend: { show: false }, focus: { alpha: .25 }, cursor: { focus: { prox: 24 }, points: { show: false } }, hooks: { setCursor: [showValues] },
  }, columns, $("plot"));
  drawLegend(lines);
}

function drawLegend(lines) {
  $("legend").replaceChildren(...lines.map((line) => {
    const text = data.groups[line.number].short + (line.seed === undefined || line.seed === null ? "" : `, seed ${line.seed}`);
    const key = make("button", { type: "button", title: `Hide ${text}` }, make("span", { className: "swatch", style: `--colour: ${colourOf(line.number)}` }), text, make("output"));
    key.addEventListener("click", () => { selection.drawn.delete(line.number); update(); });
    for (const event of ["pointerenter", "focus"]) key.addEventListener(event, () => plot?.setSeries(line.index, { focus: true }));
    for (const event of ["pointerleave", "blur"]) key.addEventListener(event, () => plot?.setSeries(null, { focus: true }));
    key.line = line;
    return key;
  }));
}
function showValues(self) { // beside the names, the values at the pointer
  const place = self.cursor.idx;
  for (const key of $("legend").children) {
    const value = place === null || place === undefined ? null : self.data[key.line.index][place];
    key.querySelector("output").textContent = value === null || value === undefined ? "" : value.toPrecision(4);
  }
}
listeners.push(drawCurves);
for (const id of ["metric", "seeds", "log"]) $(id)?.addEventListener("change", drawCurves);
new ResizeObserver(([{ contentRect }]) => {
  plotWidth = contentRect.width;
  if (plot && Math.abs(plot.width - plotWidth) > 1) plot.setSize({ width: plotWidth, height: plot.height });
}).observe($("plot"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { themeColours.clear(); drawCurves(); });
