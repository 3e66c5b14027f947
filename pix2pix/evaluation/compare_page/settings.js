// The settings: a row for each shown run, a column for each setting, made when the part is opened.
function settingsTable() {
  const words = $("settings-search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const groups = shownGroups(), runs = groups.flatMap((number) => data.groups[number].runs.map((run) => [run, number]));
  const { differing, common } = data.settings, fits = (key) => words.every((word) => key.toLowerCase().includes(word));
  const text = (value) => typeof value === "string" ? value : JSON.stringify(value);
  const differs = (key) => new Set(runs.map(([run]) => text(differing[key][run]))).size > 1;
  const keys = Object.keys(differing).filter((key) => fits(key) && (differs(key) || !$("only-differing").checked));
  const others = $("only-differing").checked ? [] : Object.keys(common).filter(fits);
  const head = make("tr", {}, make("th", { className: "what pin", textContent: "run" }), ...[...keys, ...others].map((key) => make("th", { className: "what", textContent: key })));
  const rows = runs.map(([run, number]) => make("tr", {},
    make("th", { className: "what pin", title: data.runs[run].label }, make("span", { className: "swatch", style: `--colour: ${colourOf(number)}` }), data.groups[number].short + (data.groups[number].runs.length > 1 ? `, seed ${data.runs[run].seed}` : "")),
    ...keys.map((key) => make("td", { className: `what${differs(key) ? " differs" : ""}`, textContent: text(differing[key][run]) })),
    ...others.map((key) => make("td", { className: "what", textContent: text(common[key]) }))));
  const nothing = make("p", { className: "quiet", textContent: "No setting of the shown runs differs, or none has such a name." });
  $("settings-table").replaceChildren(keys.length + others.length ? make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)) : nothing);
}
const updateSettings = () => { if ($("settings").open) settingsTable(); };
listeners.push(updateSettings);
$("settings").addEventListener("toggle", updateSettings);
$("settings-search").addEventListener("input", updateSettings);
$("only-differing").addEventListener("change", updateSettings);
