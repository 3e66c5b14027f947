// The pictures: a row for each input, a column for each shown group, input and target pinned at the left.
const pictureParts = { kind: "rows", cells: new Map(), heads: null, epoch: Infinity, sized: false };
const pictureRows = () => data[pictureParts.kind];
const epochs = [...new Set(data.samples.flatMap((row) => Object.values(row.outputs).flatMap((frames) => frames.map(([at]) => at))))].sort((a, b) => a - b);
const ends = [["input", "input"], ["target", "target"]];

// A picture is decoded only when it scrolls into view.
const lazily = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
  lazily.unobserve(target); const image = target.querySelector("img"); image.src = target.source; target.source = null;
}), { rootMargin: "400px" });

const frameAt = (frames) => (frames.filter(([at]) => at <= pictureParts.epoch).at(-1) ?? frames[0])[1];
const outputOf = (row, number) => { const output = row.outputs[number]; return Array.isArray(output) ? frameAt(output) : output; };

function pictureCell(row, at, name, source, number) {
  const box = make("div", { className: `cell${number === undefined ? " end-left" : ""}` });
  if (!source) return box;
  const button = make("button", { type: "button", className: "picture", source }, make("img", { alt: `${name}, ${data[pictureParts.kind][row].name}` }));
  button.addEventListener("click", () => enlarge(row, number ?? name));
  button.firstChild.addEventListener("load", ({ target }) => target.classList.toggle("crisp", target.naturalWidth < 200));
  lazily.observe(button); box.append(button);
  return box;
}
function headCell(name, number) {
  return make("div", { className: `cell${number === undefined ? " end-left" : ""}`, textContent: name, title: name });
}

function buildPictures() {
  pictureParts.cells.clear();
  const head = make("div", { className: "row head" }, ...ends.map(([name]) => headCell(name)));
  const rows = pictureRows().map((row, at) => make("div", { className: "row" }, ...ends.map(([name, key]) => pictureCell(at, 0, name, row[key]))));
  pictureParts.lines = [head, ...rows];
  $("pictures").replaceChildren(...pictureParts.lines);
}
function columnOf(number) { // made when the group is shown for the first time
  if (!pictureParts.cells.has(number)) {
    const label = data.groups[number].short;
    const cells = [headCell(label, number), ...pictureRows().map((row, at) => pictureCell(at, 0, label, outputOf(row, number), number))];
    cells.forEach((cell, at) => pictureParts.lines[at].append(cell));
    pictureParts.cells.set(number, cells);
  }
  return pictureParts.cells.get(number);
}
const hasPictures = (number) => pictureRows().some((row) => row.outputs[number]);

listeners.push(() => {
  const shown = shownGroups().filter(hasPictures), visible = new Set(shown);
  selection.order.forEach((number, place) => { // the place among all groups: to hide one changes no other
    if (!visible.has(number)) return;
    const colour = colourOf(number);
    const cells = columnOf(number);
    if (cells[0].dataset.place !== `${place}`) for (const cell of cells) { cell.dataset.place = place; cell.style.setProperty("--order", place); }
    for (const cell of cells) cell.hidden = false;
    cells[0].style.setProperty("--colour", colour);
  });
  for (const [number, cells] of pictureParts.cells) if (!visible.has(number)) for (const cell of cells) cell.hidden = true;
  fitPictures(shown.length);
});

let pictureWidth = 0; // in rem; asking for it at each change would lay out the page twice
function fitPictures(columns) { // as large as fits side by side, until the size is set by hand
  if (!pictureParts.sized) $("size").value = Math.min(24, Math.max(pictureWidth < 40 ? 6 : 8, (pictureWidth - .6) / (columns + 2) - .5));
  const size = `${$("size").value}rem`;
  if ($("pictures").style.getPropertyValue("--cell") !== size) $("pictures").style.setProperty("--cell", size);
}
$("size").addEventListener("input", () => { pictureParts.sized = true; fitPictures(); });
new ResizeObserver(([{ contentRect }]) => {
  pictureWidth = contentRect.width / parseFloat(getComputedStyle(document.documentElement).fontSize);
  fitPictures(shownGroups().filter(hasPictures).length);
}).observe($("pictures"));

function enlarge(at, which) {
  const shown = shownGroups().filter(hasPictures);
  const rows = pictureRows().map((row) => ({ name: row.name, pictures: [
    { name: "input", source: row.input }, { name: "target", source: row.target },
    ...shown.map((number) => {
      const output = row.outputs[number], name = data.groups[number].short;
      return Array.isArray(output) ? { name, frames: output.map(([epoch, source]) => ({ at: epoch, source })) } : { name, source: output };
    })] }));
  const left = typeof which === "number" ? 2 + shown.indexOf(which) : ["input", "target"].indexOf(which);
  viewer.open({ rows, row: at, left, right: which === "target" ? 0 : 1, at: pictureParts.epoch });
}

function showEpoch() {
  pictureParts.epoch = epochs[$("epoch").value] ?? Infinity; $("epoch-text").textContent = pictureParts.epoch;
  for (const [number, [, ...cells]] of pictureParts.cells) cells.forEach((cell, at) => {
    const button = cell.firstChild, source = outputOf(pictureRows()[at], number);
    if (!button) return;
    if (button.source) button.source = source; else button.firstChild.src = source;
  });
}
function choosePictures(kind) {
  pictureParts.kind = kind;
  for (const button of $("kinds").children) button.setAttribute("aria-pressed", button.value === kind);
  $("epoch-label").hidden = kind !== "samples";
  $("epoch").max = epochs.length - 1; $("epoch").value = epochs.length - 1;
  pictureParts.epoch = epochs.at(-1) ?? Infinity; $("epoch-text").textContent = pictureParts.epoch;
  buildPictures(); update();
}
$("kinds").hidden = !data.samples.length;
for (const button of $("kinds").children) button.addEventListener("click", () => choosePictures(button.value));
$("epoch").addEventListener("input", showEpoch);
$("pictures-card").hidden = !data.rows.length && !data.samples.length;
