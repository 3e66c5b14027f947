// The translations of the runs, with a slider to compare them with the input or the target, and downloads.

import { download, fileName } from "./card.js";

export const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

export class Results {
  constructor(place, pageData, { select, range }) {
    Object.assign(this, { select, range, target: null, input: null, onchoice: () => {} });
    this.cells = pageData.runs.map((run, number) => this.#cell(run, number, pageData.canvas));
    place.append(...this.cells.map((cell) => cell.figure));
    const count = pageData.runs.length, columns = Math.ceil(Math.sqrt(count));
    place.dataset.count = count;
    place.style.setProperty("--columns", columns);
    place.style.setProperty("--rows", Math.ceil(count / columns));
    select.append(...[["", "No comparison"], ["input", "With the input"], ["target", "With the target"]].map(([value, text]) => new Option(text, value)),
      ...(pageData.runs.length > 1 ? pageData.runs.map((run, number) => new Option(`With ${run.name}`, `run ${number}`)) : []));
    select.addEventListener("change", () => this.compare());
    range.addEventListener("input", () => this.cut(range.value));
    this.setTarget(null);
  }

  #cell(run, number, { width, height }) {
    const output = make("canvas", { width: run.width, height: run.height, className: "output" });
    const over = make("canvas", { width, height, className: "over", hidden: true });
    for (const [canvas, label] of [[output, `Translation by ${run.name}`], [over, "For comparison"]]) {
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", label);
    }
    const line = make("span", { className: "divider", hidden: true });
    const enlarge = make("button", { type: "button", className: "floating enlarge", title: "Enlarge, or make small again" });
    enlarge.setAttribute("aria-label", `Enlarge the translation by ${run.name}`);
    const stage = make("div", { className: "stage" }, output, over, line, enlarge);
    const time = make("span", { className: "quiet time" });
    const downloadButton = make("button", { type: "button", className: "ghost", title: "Download", textContent: "↓" });
    downloadButton.setAttribute("aria-label", `Download the translation by ${run.name}`);
    downloadButton.addEventListener("click", () => this.download(number));
    const tick = make("input", { type: "checkbox", checked: true });
    tick.setAttribute("aria-label", `Translate with ${run.name}`);
    const name = make("label", { className: "name", title: run.name }, tick, make("span", { textContent: run.name }));
    const figure = make("figure", {}, stage, make("figcaption", {}, name, time, downloadButton));
    tick.addEventListener("change", () => { figure.classList.toggle("off", !tick.checked); this.onchoice(); });
    this.#slide(stage);
    enlarge.addEventListener("click", () => this.enlarge(figure));
    return { run, output, over, line, time, tick, figure, bitmap: null };
  }

  // Dragging over a picture moves the slider.
  #slide(stage) {
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      this.cut(Math.max(0, Math.min(100, ((event.clientX - box.left) / box.width) * 100)));
    };
    stage.addEventListener("pointerdown", (event) => { if (this.select.value) { stage.setPointerCapture(event.pointerId); follow(event); } });
    stage.addEventListener("pointermove", (event) => { if (this.select.value && stage.hasPointerCapture(event.pointerId)) follow(event); });
  }

  // On small screens one translation can take the place of the canvas; null makes it small again.
  enlarge(figure) {
    const isNew = figure !== null && !figure.classList.contains("large");
    for (const cell of this.cells) cell.figure.classList.toggle("large", isNew && cell.figure === figure);
    document.body.classList.toggle("enlarged", isNew);
  }

  chosen() { return this.cells.flatMap((cell, number) => (cell.tick.checked ? [number] : [])); }

  // The first translation that is shown.
  first() { return this.cells[this.chosen()[0] ?? 0].output; }

  // The numbers of the chosen runs as a link has them; empty if all are.
  choice() { return this.chosen().length === this.cells.length ? "" : this.chosen().join(","); }

  choose(numbers) {
    if (numbers.length && !numbers.some((number) => this.cells[number])) return; // a link of other runs
    this.cells.forEach(({ tick, figure }, number) => {
      tick.checked = numbers.includes(number);
      figure.classList.toggle("off", !tick.checked);
    });
    this.onchoice();
  }

  show({ run, pixels, milliseconds }) {
    const cell = this.cells[run];
    Object.assign(cell.output, { width: pixels.width, height: pixels.height });
    cell.output.getContext("2d").putImageData(pixels, 0, 0);
    cell.time.textContent = `${Math.round(milliseconds)} ms`;
    cell.figure.classList.add("ready");
    if (this.select.value === `run ${run}`) this.compare();
  }

  // The target for comparison: an image or a canvas; null if the drawing has no target.
  setTarget(image) {
    if (image && image === this.target) return;
    this.target = image;
    const option = this.select.querySelector("[value=target]");
    option.disabled = !image;
    if (!image && this.select.value === "target") this.select.value = "input";
    this.compare();
  }

  compare() {
    const choice = this.select.value, [, run] = choice.split(" ");
    const source = { "": null, input: this.input, target: this.target }[choice] ?? this.cells[run]?.output;
    this.range.disabled = !source;
    for (const { over, line, output } of this.cells) {
      over.hidden = line.hidden = !source || source === output; // not with itself
      over.classList.toggle("crisp", choice === "input");
      over.parentElement.dataset.left = run === undefined ? choice : this.cells[run].run.name;
      if (over.hidden) continue;
      const context = over.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(source, 0, 0, over.width, over.height);
    }
    this.cut(this.range.value);
  }

  cut(percent) {
    this.range.value = percent;
    for (const { figure } of this.cells) figure.style.setProperty("--cut", `${percent}%`);
  }

  download(number) {
    const { output, run } = this.cells[number];
    output.toBlob((blob) => download(blob, fileName(run.name)));
  }
}
