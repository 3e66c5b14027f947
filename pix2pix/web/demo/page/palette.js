// The selected tool, brush and brush size, and their buttons.

import { hex, rgb } from "./drawing.js";

const $ = (id) => document.getElementById(id);

export class Palette {
  constructor(tools, { kind, operation, brushes, width, isGrey }) {
    Object.assign(this, { tools, kind, brushes, before: "brush", onchange: () => {} });
    for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => this.tool(button.dataset.tool));
    $("size").max = Math.max(4, Math.round(width / 6));
    $("size").addEventListener("input", () => { this.size(Number($("size").value)); tools.preview(); });
    $("mirror").addEventListener("click", () => this.mirror(!tools.drawing.isMirrored));
    this.chips = brushes.map((brush, number) => chip(brush, number, () => this.brush(number)));
    $("palette").append(...this.chips, ...(kind === "photo" && !isGrey ? [this.#custom()] : []));
    $("palette").hidden = brushes.length < 2;
    tools.onpick = (place) => this.pick(place);
    const initial = operation === "inpaint" ? "white" : "window"; // the colour of holes, or the first facade class
    this.brush(Math.max(0, brushes.findIndex(({ name }) => name === initial)));
    this.tool(kind === "labels" ? "rectangle" : "brush");
    this.size(kind === "edges" ? Math.max(1, Math.round(width / 170)) : Math.max(2, Math.round(width / 32)));
  }

  tool(name) {
    this.tools.finish();
    if (name !== "pick") this.before = name;
    this.tools.tool = name;
    this.tools.copier.mark(null);
    for (const button of document.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    this.onchange();
  }

  brush(number) {
    const { name, colour } = this.brushes[number];
    this.#paint(colour, name);
    this.chips.forEach((each, i) => each.setAttribute("aria-pressed", String(i === number)));
    if (!["brush", "line", "rectangle", "fill"].includes(this.tools.tool)) this.tool("brush");
    this.onchange();
  }

  // The brush with the colour that is nearest to the pixel; any colour where the run takes photos.
  pick([x, y]) {
    const [r, g, b] = this.tools.drawing.context.getImageData(x, y, 1, 1).data;
    this.tool(["erase", "copy", "pick"].includes(this.before) ? "brush" : this.before);
    const distance = ({ colour }) => rgb(colour).slice(0, 3).reduce((sum, value, i) => sum + (value - [r, g, b][i]) ** 2, 0);
    const nearest = this.brushes.reduce((best, brush, number) => (distance(brush) < distance(this.brushes[best]) ? number : best), 0);
    if (this.kind === "photo" && distance(this.brushes[nearest]) > 0) this.colour(hex([r, g, b]));
    else this.brush(nearest);
  }

  colour(colour) {
    this.#paint(colour, "own colour");
    this.chips.forEach((each) => each.setAttribute("aria-pressed", "false"));
    this.onchange();
  }

  #paint(colour, name) {
    this.tools.colour = colour;
    $("brush-name").textContent = name;
    document.documentElement.style.setProperty("--paint", colour);
  }

  size(pixels) {
    this.tools.size = pixels;
    $("size").value = pixels;
    $("size-text").textContent = pixels;
    this.onchange();
  }

  // Left and right are drawn alike.
  mirror(isMirrored) {
    this.tools.drawing.isMirrored = isMirrored;
    $("mirror").setAttribute("aria-pressed", String(isMirrored));
    $("axis").hidden = !isMirrored;
    this.onchange();
  }

  #custom() {
    const input = Object.assign(document.createElement("input"), { type: "color", value: "#c98a5b", title: "Another colour" });
    input.setAttribute("aria-label", "Another colour");
    input.addEventListener("input", () => this.colour(input.value));
    return input;
  }
}

function chip({ name, colour }, number, choose) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "chip", title: name });
  const dot = Object.assign(document.createElement("i"), { className: "dot" });
  dot.style.background = colour;
  button.append(dot, Object.assign(document.createElement("span"), { textContent: name }));
  if (number < 10) button.setAttribute("aria-keyshortcuts", String((number + 1) % 10));
  button.addEventListener("click", choose);
  return button;
}
