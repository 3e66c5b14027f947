// The live table of runs: it asks for the runs every few seconds and changes the rows that have changed.
const POLL_MS = 5000;
const $ = (id) => document.getElementById(id);
const body = document.querySelector("#runs tbody"), rows = new Map(), chosenRuns = new Set(), states = new Set();
let shown = JSON.parse($("data").textContent), sortKey = "state", sign = 1;

const ORDER = ["running", "failed", "stopped", "finished", "unknown"];
const bestOf = (run) => Object.entries(run.best)[0];
const keys = { // what a column sorts by
  name: (run) => run.name, differs: (run) => run.differs,
  state: (run) => ORDER.indexOf(run.state.kind) + 1 - (Date.parse(run.started) || 0) / 1e14, // the newest of a state first
  sample: (run) => -(run.sheets.at(-1)?.at ?? -1), best: (run) => -(bestOf(run)?.[1] ?? -Infinity), started: (run) => -(Date.parse(run.started) || 0),
};
function ago(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (isNaN(seconds)) return "";
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(Math.max(0, seconds) / size)} ${unit} ago`;
}

const breakable = (name) => name.split(/(?<=[,/])/).flatMap((part) => [part, make("wbr")]); // a line may end after , and /
function stateCell({ state, problems }) {
  const words = state.text.replace(`: ${state.error}`, "").replace(`${state.kind}, `, "");
  const cell = make("td", { className: "state-cell" }, make("span", { className: `state ${state.kind}`, textContent: state.kind }));
  if (words !== state.kind && words !== "?") cell.append(make("span", { className: "words quiet", textContent: words }));
  if (state.kind === "running" && state.epochs) cell.append(make("progress", { max: state.epochs, value: Math.max(0, state.epoch - 1), ariaLabel: "epochs that are done" }));
  for (const text of [state.error, ...problems].filter(Boolean)) cell.append(make("span", { className: "words fault", textContent: text }));
  return cell;
}
function sampleCell(run) {
  const cell = make("td", { className: "what" }), newest = run.sheets.at(-1);
  if (!newest) return cell;
  const button = make("button", { type: "button", className: "picture", title: `Epoch ${newest.at}: enlarge, and watch the epochs` }, make("img", { loading: "lazy", src: newest.source, alt: `input, output and target of validation pairs of ${run.name}` }));
  button.addEventListener("click", () => viewer.open({ rows: visible().filter((each) => each.sheets.length).map((each) => ({ name: each.name, pictures: [
    { name: "last epoch", source: each.sheets.at(-1).source }, { name: "epoch by epoch", frames: each.sheets }] })),
    row: visible().filter((each) => each.sheets.length).findIndex((each) => each.path === run.path), left: 1, right: 0 }));
  cell.append(button);
  return cell;
}
function makeRow(run) {
  const box = make("input", { type: "checkbox", checked: chosenRuns.has(run.path), ariaLabel: `choose ${run.name}` });
  box.addEventListener("change", () => { box.checked ? chosenRuns.add(run.path) : chosenRuns.delete(run.path); showChosen(); });
  const best = bestOf(run), pages = make("td", { className: "what" }, ...run.evaluations.map((page) => make("a", { href: page.link, textContent: `evaluation on ${page.name}` })));
  return make("tr", {}, make("td", { className: "what" }, box), make("td", { className: "name" }, ...breakable(run.name)), stateCell(run), sampleCell(run),
    make("td", { className: "what", textContent: best ? `${best[0]} ${best[1].toPrecision(4)}` : "" }), make("td", { className: "differs", textContent: run.differs }),
    make("td", { className: "what", textContent: ago(run.started), title: run.started }), pages);
}

const fits = (run) => $("search").value.toLowerCase().split(/\s+/).every((word) => `${run.name} ${run.differs} ${run.state.text}`.toLowerCase().includes(word));
function visible() {
  const compare = (a, b) => { const [x, y] = [keys[sortKey](a), keys[sortKey](b)]; return sign * (typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y); };
  return shown.runs.filter((run) => fits(run) && (!states.size || states.has(run.state.kind))).sort(compare);
}
function show() {
  const list = visible();
  for (const run of shown.runs) { // only rows that have changed are made anew
    const text = JSON.stringify(run);
    if (rows.get(run.path)?.text !== text) { const row = makeRow(run); rows.get(run.path)?.row.replaceWith(row); rows.set(run.path, { text, row }); }
  }
  const wanted = list.map((run) => rows.get(run.path).row);
  if (wanted.length !== body.children.length || wanted.some((row, at) => body.children[at] !== row)) body.replaceChildren(...wanted);
  for (const path of chosenRuns) if (!shown.runs.some((run) => run.path === path)) chosenRuns.delete(path);
  const all = shown.runs.length;
  $("count").textContent = `${all} run${all === 1 ? "" : "s"}` + (list.length < all ? `, ${list.length} in the table` : "");
  showStates(); showComparisons(); showChosen();
}
function showStates() {
  const kinds = ORDER.filter((kind) => shown.runs.some((run) => run.state.kind === kind));
  const text = kinds.map((kind) => `${kind} ${shown.runs.filter((run) => run.state.kind === kind).length}`);
  if ($("states").dataset.text === text.join()) return;
  $("states").dataset.text = text.join();
  $("states").replaceChildren(...kinds.map((kind, at) => {
    const button = make("button", { type: "button", textContent: text[at], ariaPressed: `${states.has(kind)}` });
    button.addEventListener("click", () => { states.has(kind) ? states.delete(kind) : states.add(kind); button.ariaPressed = `${states.has(kind)}`; show(); });
    return button;
  }));
}
function showComparisons() {
  $("comparisons").hidden = !shown.comparisons.length;
  const text = JSON.stringify(shown.comparisons);
  if ($("comparisons").dataset.text === text) return;
  $("comparisons").dataset.text = text; $("comparisons").open ||= shown.comparisons.length < 4;
  $("comparisons").querySelector("ul").replaceChildren(...shown.comparisons.map((page) => make("li", {}, make("a", { href: page.link, textContent: page.name }))));
}
function showChosen() {
  const count = chosenRuns.size, list = visible();
  $("chosen").textContent = count ? `${count} chosen` : "";
  $("compare").disabled = !count; $("demo").disabled = !count;
  $("all").checked = list.length > 0 && list.every((run) => chosenRuns.has(run.path)); $("all").indeterminate = count > 0 && !$("all").checked;
  const names = shown.runs.filter((run) => chosenRuns.has(run.path)).map((run) => run.path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const address = $("tensorboard").href.replace(/[?#].*$/, "");
  $("tensorboard").href = address + (names.length ? `?runFilter=${encodeURIComponent(`^(${names.join("|")})$`)}#timeseries` : "");
}

const query = () => new URLSearchParams([...chosenRuns].map((path) => ["run", path]));
$("compare").addEventListener("click", () => window.open(`/compare?${query()}`));
$("demo").addEventListener("click", async ({ target }) => {
  const page = window.open(""); // while the click allows it
  target.disabled = true; target.textContent = "Starting …";
  try {
    const answer = await fetch("/demo", { method: "POST", body: query() }), text = await answer.text();
    if (!answer.ok) throw new Error(text);
    page ? page.location = text : location = text;
  } catch (error) { page?.close(); $("message").textContent = error.message; $("message").hidden = false; }
  target.textContent = "Demo"; showChosen();
});
$("all").addEventListener("change", ({ target }) => {
  for (const run of visible()) { target.checked ? chosenRuns.add(run.path) : chosenRuns.delete(run.path); rows.get(run.path).row.querySelector("input").checked = target.checked; }
  showChosen();
});
$("search").addEventListener("input", show);
// An address such as /#SWEEP/RUN shows these runs: the way back from a page of a run.
function readAddress() {
  try { $("search").value = decodeURIComponent(location.hash.slice(1)); } catch { /* not an address of ours */ }
  show();
}
addEventListener("hashchange", readAddress);
for (const head of document.querySelectorAll("th[data-key]")) head.firstChild.addEventListener("click", () => {
  sign = sortKey === head.dataset.key ? -sign : 1; sortKey = head.dataset.key;
  for (const other of document.querySelectorAll("th[data-key]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending"); show();
});

async function poll() {
  if (!document.hidden) try {
    const text = await (await fetch("/runs.json", { signal: AbortSignal.timeout(60000) })).text();
    $("lost").hidden = true;
    if (text !== $("data").textContent) { $("data").textContent = text; shown = JSON.parse(text); show(); }
  } catch { $("lost").hidden = false; }
  setTimeout(poll, POLL_MS);
}
readAddress();
setTimeout(poll, POLL_MS);
