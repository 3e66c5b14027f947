// Which runs are shown, in which order and colour. A group is a row of the table: the runs that differ in the seed only.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const FIRST = 12; // so many are drawn at first: more curves cannot be told apart
const MAX_CHIPS = 24; // settings with more values have the search only

const selection = { drawn: new Set(), matching: new Set(data.groups.keys()), order: [...data.groups.keys()], slots: new Map() };
const listeners = [];
const shownGroups = () => selection.order.filter((number) => selection.drawn.has(number) && selection.matching.has(number));

// Hues far from each other, light and dark in turn; as light as can be read on white and on black.
const HUES = [255, 45, 150, 330, 95, 205, 295, 20, 125, 230, 70, 0];
function colourOf(number, alpha = 1) {
  const slot = selection.slots.get(number) ?? 0, hue = HUES[slot] ?? (slot * 137.5) % 360;
  return `oklch(${slot % 2 ? .64 : .56} .16 ${hue}${alpha < 1 ? ` / ${alpha}` : ""})`;
}
function takeColours() { // a group keeps its colour while it is drawn
  for (const number of [...selection.slots.keys()]) if (!selection.drawn.has(number)) selection.slots.delete(number);
  const taken = new Set(selection.slots.values());
  let slot = 0;
  for (const number of selection.order) if (selection.drawn.has(number) && !selection.slots.has(number)) {
    while (taken.has(slot)) slot++;
    taken.add(slot); selection.slots.set(number, slot);
  }
}

let waiting = 0;
function update() { // all parts of the page once, with the next frame
  takeColours();
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    for (const listener of listeners) listener();
    const drawn = shownGroups().length, all = data.groups.length;
    $("count").textContent = `${drawn} of ${all} shown` + (selection.matching.size < all ? `, ${selection.matching.size} match` : "");
  });
}

// The best by the metric of the order, or by the first one; provisional numbers come last.
function bestOf(numbers, count) {
  const metric = data.sort in data.metrics ? data.sort : Object.keys(data.metrics)[0], sign = data.metrics[metric] ? -1 : 1;
  const rank = (number) => { const group = data.groups[number], mean = group.means[metric]; return mean === undefined ? Infinity : sign * mean + (group.provisional ? 1e9 : 0); };
  return numbers.length <= count ? numbers : [...numbers].sort((a, b) => rank(a) - rank(b)).slice(0, count);
}
const draw = (numbers) => { selection.drawn = new Set(numbers); update(); };
const drawBest = () => draw(bestOf(selection.order.filter((number) => selection.matching.has(number)), FIRST));

// The search: words that all have to fit. `ssim>0.25` and `l1<0.2` are about metrics, `key=value` about settings.
function fits(group, word) {
  const [, name, sign, value] = word.match(/^([\w./]+)(<=|>=|<|>|=)(.+)$/) ?? [];
  if (sign && sign !== "=") {
    const mean = group.means[name], limit = Number(value);
    return mean !== undefined && (sign[0] === "<" ? mean < limit : mean > limit || (sign === ">=" && mean === limit)) || (sign === "<=" && mean === limit);
  }
  const entries = Object.entries(group.settings);
  if (sign) return entries.some(([key, text]) => (key === name || key.split(".").at(-1) === name) && text.toLowerCase() === value);
  return `${group.label} ${group.short} ${entries.flat().join(" ")} ${group.runs.map((run) => data.runs[run].label).join(" ")}`.toLowerCase().includes(word);
}
const chosen = new Map(); // setting -> the values of its pressed chips
function filter() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (group) => words.every((word) => fits(group, word)) && [...chosen].every(([key, values]) => !values.size || values.has(group.settings[key]));
  selection.matching = new Set([...data.groups.keys()].filter((number) => matches(data.groups[number])));
  drawBest();
}
function chip(key, value) {
  const button = make("button", { type: "button", textContent: value });
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const values = chosen.get(key) ?? new Set();
    values.has(value) ? values.delete(value) : values.add(value);
    chosen.set(key, values); button.setAttribute("aria-pressed", values.has(value));
    filter();
  });
  return button;
}
function makeChips() {
  for (const key of new Set(data.groups.flatMap((group) => Object.keys(group.settings)))) {
    const values = [...new Set(data.groups.map((group) => group.settings[key]).filter((value) => value !== undefined))];
    if (values.length < 2 || values.length > MAX_CHIPS || (values.length === data.groups.length && values.length < 4)) continue;
    const group = make("div", { className: "group" }, make("span", { className: "quiet", textContent: key }), ...values.map((value) => chip(key, value)));
    group.setAttribute("role", "group"); group.setAttribute("aria-label", key);
    $("chips").append(group);
  }
  $("chips").hidden = !$("chips").children.length;
}
