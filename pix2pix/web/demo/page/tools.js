// Turns pointer and keys on the canvas into strokes. Lines and rectangles follow the pointer until it is released.

import { straightened } from "./geometry.js";

const PREVIEW = 900; // milliseconds for which a new brush size is shown on the canvas

export class Tools {
  constructor(drawing, history, cursor) {
    Object.assign(this, { drawing, history, cursor, tool: "brush", colour: "#000000", size: 4, onstroke: () => {}, onpick: () => {} });
    this.copier = null; // the tool that copies an area
    this.finish();
    this.at = [drawing.width >> 1, drawing.height >> 1]; // position of the keyboard pen
    const { canvas } = drawing;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.finish());
    canvas.addEventListener("pointerleave", () => { cursor.hidden = true; });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => { cursor.hidden = true; });
  }

  get drawingNow() { return this.from !== null; }

  get paint() { return this.tool === "erase" ? null : this.colour; }

  #place(event) {
    const box = this.drawing.canvas.getBoundingClientRect();
    const clamp = (value, most) => Math.max(0, Math.min(most - 1, Math.floor(value)));
    return [clamp(((event.clientX - box.left) / box.width) * this.drawing.width, this.drawing.width),
      clamp(((event.clientY - box.top) / box.height) * this.drawing.height, this.drawing.height)];
  }

  #down(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    event.preventDefault();
    this.drawing.canvas.focus({ preventScroll: true });
    this.drawing.canvas.setPointerCapture(event.pointerId);
    this.start(this.#place(event), event);
  }

  #move(event) {
    if (!event.isPrimary) return;
    this.showCursor(this.#place(event));
    if (!this.drawingNow) return;
    const events = event.getCoalescedEvents?.() ?? []; // all positions since the last frame
    for (const each of events.length ? events : [event]) this.drag(this.#place(each), event.shiftKey);
    this.drawing.changed();
  }

  // `altKey` moves what would be copied, and picks a colour with the other tools.
  start(place, { altKey = false, shiftKey = false } = {}) {
    this.finish();
    this.onstroke();
    if (this.tool === "pick" || (altKey && this.tool !== "copy")) return this.onpick(place);
    this.from = this.last = place;
    if (this.tool === "copy") return this.copier.start(place, altKey);
    this.before = this.history.begin();
    if (this.tool === "fill") {
      this.drawing.fill(place, this.paint);
      this.from = null;
    } else this.drag(place, shiftKey);
    return this.drawing.changed();
  }

  // With `isStraight`, lines are level, upright or diagonal, and rectangles square.
  drag(place, isStraight = false) {
    if (this.tool === "copy") this.copier.drag(place);
    else if (this.tool === "rectangle" || this.tool === "line") {
      this.drawing.put(this.before.pixels);
      const { from, paint, size } = this, to = isStraight ? straightened(from, place, this.tool === "rectangle") : place;
      if (this.tool === "rectangle") this.drawing.rectangle(from, to, paint);
      else this.drawing.line(from, to, size, paint);
    } else this.#brush(place, isStraight);
    this.last = place;
  }

  #brush(place, isStraight) {
    if (!isStraight) {
      this.drawing.line(this.corner ? this.corner.to : this.last, place, this.size, this.paint);
      this.corner = null;
      return;
    }
    // The straight part begins where Shift was pressed, and follows the pointer.
    this.corner ??= { at: this.last, pixels: this.drawing.pixels() };
    this.drawing.put(this.corner.pixels);
    this.corner.to = straightened(this.corner.at, place);
    this.drawing.line(this.corner.at, this.corner.to, this.size, this.paint);
  }

  finish() {
    if (this.from && this.tool === "copy") this.copier.finish();
    this.from = this.last = this.before = this.corner = null;
    this.cursor.classList.remove("down");
  }

  // Ends a stroke as if it had never begun.
  cancel() {
    if (!this.drawingNow) return false;
    if (this.tool === "copy") this.copier.cancel();
    else this.history.cancel();
    this.from = null;
    this.finish();
    return true;
  }

  // Arrows move a pen of the keyboard's own; space sets it down and lifts it, and fills.
  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const pace = event.shiftKey ? 1 : Math.max(2, this.drawing.width >> 5);
    if (event.key in steps && !event.ctrlKey && !event.metaKey) {
      const [dx, dy] = steps[event.key], { width, height } = this.drawing;
      this.at = [Math.max(0, Math.min(width - 1, this.at[0] + dx * pace)), Math.max(0, Math.min(height - 1, this.at[1] + dy * pace))];
      if (this.drawingNow) { this.drag(this.at); this.drawing.changed(); }
    } else if (event.key === " " || event.key === "Enter") {
      if (this.drawingNow) this.finish(); else this.start(this.at, { altKey: event.altKey });
    } else return;
    event.preventDefault();
    this.showCursor(this.at);
  }

  showCursor([x, y]) {
    const { width, height } = this.drawing, spot = this.tool === "brush" || this.tool === "line" || this.tool === "erase" ? this.size : 1;
    Object.assign(this.cursor.style, {
      left: `${((x + 0.5) / width) * 100}%`, top: `${((y + 0.5) / height) * 100}%`,
      width: `${(spot / width) * 100}%`, height: `${(spot / height) * 100}%`,
    });
    this.cursor.classList.toggle("down", this.drawingNow && this.tool !== "copy");
    this.cursor.hidden = false;
  }

  // Shows the size of the brush in the middle of the canvas.
  preview() {
    this.showCursor([this.drawing.width >> 1, this.drawing.height >> 1]);
    this.cursor.classList.add("down");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.cursor.hidden = true; this.cursor.classList.remove("down"); }, PREVIEW);
  }
}
