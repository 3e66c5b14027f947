// The table of numbers: sorting, and the boxes that show and hide a group.
const table = $("table"), tableRows = [...table.querySelectorAll("tbody tr")];
const numberOf = (row) => Number(row.dataset.group);
const heads = [...table.tHead.rows[0].cells];
function valueOf(row, place) { // a number that there is not is ""
  const cell = row.cells[place], isNumber = heads[place].dataset.metric || heads[place].classList.contains("paper");
  return cell.dataset.value ?? (isNumber ? "" : cell.textContent.trim());
}

function sortBy(head, place) {
  const metric = head.dataset.metric, first = metric && data.metrics[metric] ? "descending" : "ascending"; // the best first
  const turned = first === "ascending" ? "descending" : "ascending";
  const direction = head.ariaSort === first ? turned : first;
  for (const other of heads) other.removeAttribute("aria-sort");
  head.ariaSort = direction;
  const sign = direction === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [valueOf(a, place), valueOf(b, place)];
    if (x === "" || y === "") return (x === "") - (y === ""); // what has no value comes last, in both directions
    return sign * (isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y);
  };
  tableRows.sort(compare);
  table.tBodies[0].append(...tableRows);
  selection.order = tableRows.map(numberOf);
  update();
}
heads.forEach((head, place) => head.querySelector("button")?.addEventListener("click", () => sortBy(head, place)));

table.tBodies[0].addEventListener("change", ({ target }) => {
  const number = numberOf(target.closest("tr"));
  target.checked ? selection.drawn.add(number) : selection.drawn.delete(number);
  update();
});
table.tBodies[0].addEventListener("click", ({ target }) => { if (target.matches(".only")) draw([numberOf(target.closest("tr"))]); });

listeners.push(() => {
  for (const row of tableRows) {
    const number = numberOf(row), drawn = selection.drawn.has(number), hidden = !selection.matching.has(number);
    if (row.hidden !== hidden) row.hidden = hidden;
    const colour = drawn ? colourOf(number) : "";
    if (row.dataset.colour !== colour) { row.dataset.colour = colour; row.style.setProperty("--colour", colour || "transparent"); row.querySelector("input").checked = drawn; }
  }
});
$("paper")?.addEventListener("change", ({ target }) => document.body.classList.toggle("with-paper", target.checked));
