// The selected tool, brush and brush size, and their buttons.

const $ = (id) => document.getElementById(id);

export class Palette {
  constructor(tools, { kind, operation, brushes, width }) {
    Object.assign(this, { tools, kind });
    for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => this.tool(button.dataset.tool));
    $("size").max = Math.max(4, Math.round(width / 6));
    $("size").addEventListener("input", () => this.size(Number($("size").value)));
    this.chips = brushes.map((brush, number) => chip(brush, number, () => this.brush(number)));
    this.brushes = brushes;
    $("palette").append(...this.chips, ...(kind === "photo" ? [this.#custom()] : []));
    $("palette").hidden = brushes.length < 2;
    const initial = operation === "inpaint" ? "white" : "window"; // the colour of holes, or the first facade class
    this.tool(kind === "labels" ? "rectangle" : "brush");
    this.brush(Math.max(0, brushes.findIndex(({ name }) => name === initial)));
    this.size(kind === "edges" ? Math.max(1, Math.round(width / 170)) : Math.max(2, Math.round(width / 32)));
  }

  tool(name) {
    this.tools.finish();
    this.tools.tool = name;
    for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  }

  brush(number) {
    this.colour(this.brushes[number].colour);
    this.chips.forEach((each, i) => each.setAttribute("aria-pressed", String(i === number)));
    if (this.tools.tool === "erase") this.tool("brush");
  }

  colour(colour) {
    this.tools.colour = colour;
    document.documentElement.style.setProperty("--paint", colour);
    this.chips.forEach((each) => each.setAttribute("aria-pressed", "false"));
  }

  size(pixels) {
    this.tools.size = pixels;
    $("size").value = pixels;
    $("size-text").textContent = pixels;
  }

  #custom() {
    const input = Object.assign(document.createElement("input"), { type: "color", value: "#c98a5b", title: "Another colour" });
    input.setAttribute("aria-label", "Another colour");
    input.addEventListener("input", () => this.colour(input.value));
    return input;
  }
}

function chip({ name, colour }, number, choose) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "chip" });
  const dot = Object.assign(document.createElement("i"), { className: "dot" });
  dot.style.background = colour;
  button.append(dot, name);
  if (number < 10) button.setAttribute("aria-keyshortcuts", String((number + 1) % 10));
  button.addEventListener("click", choose);
  return button;
}
