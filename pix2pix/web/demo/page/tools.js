// Turns pointer and keys on the canvas into strokes. Lines and rectangles follow the pointer until it is released.

const SPREAD = { line: true, rectangle: true };

export class Tools {
  constructor(drawing, cursor) {
    Object.assign(this, { drawing, cursor, tool: "brush", colour: "#000000", size: 4, from: null, last: null, before: null });
    const { canvas } = drawing;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.finish());
    canvas.addEventListener("pointerleave", () => { cursor.hidden = true; });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => { cursor.hidden = true; });
    this.at = [drawing.width >> 1, drawing.height >> 1]; // position of the keyboard pen
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
    this.start(this.#place(event));
  }

  #move(event) {
    this.#showCursor(this.#place(event));
    if (!this.drawingNow) return;
    const events = event.getCoalescedEvents?.() ?? []; // all positions since the last frame
    for (const each of events.length ? events : [event]) this.drag(this.#place(each));
    this.drawing.changed();
  }

  start(place) {
    this.drawing.begin();
    if (this.tool === "fill") {
      this.drawing.fill(place, this.paint);
    } else {
      this.from = this.last = place;
      this.before = SPREAD[this.tool] ? this.drawing.pixels() : null;
      this.drag(place);
    }
    this.drawing.changed();
  }

  drag(place) {
    const { drawing, from, last, size, paint } = this;
    if (SPREAD[this.tool]) drawing.context.putImageData(this.before, 0, 0);
    if (this.tool === "rectangle") drawing.rectangle(from, place, paint);
    else drawing.line(this.tool === "line" ? from : last, place, size, paint);
    this.last = place;
  }

  finish() { this.from = this.before = null; }

  // Arrows move a pen of the keyboard's own; space sets it down and lifts it, and fills.
  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const pace = event.shiftKey ? 1 : Math.max(2, this.drawing.width >> 5);
    if (event.key in steps && !event.ctrlKey && !event.metaKey) {
      const [dx, dy] = steps[event.key], { width, height } = this.drawing;
      this.at = [Math.max(0, Math.min(width - 1, this.at[0] + dx * pace)), Math.max(0, Math.min(height - 1, this.at[1] + dy * pace))];
      if (this.drawingNow) { this.drag(this.at); this.drawing.changed(); }
    } else if (event.key === " " || event.key === "Enter") {
      if (this.drawingNow) this.finish(); else this.start(this.at);
    } else return;
    event.preventDefault();
    this.#showCursor(this.at);
  }

  #showCursor([x, y]) {
    const { width, height } = this.drawing, spot = SPREAD[this.tool] === true && this.tool === "rectangle" || this.tool === "fill" ? 1 : this.size;
    Object.assign(this.cursor.style, {
      left: `${((x + 0.5) / width) * 100}%`, top: `${((y + 0.5) / height) * 100}%`,
      width: `${(spot / width) * 100}%`, height: `${(spot / height) * 100}%`,
    });
    this.cursor.classList.toggle("down", this.drawingNow);
    this.cursor.hidden = false;
  }
}
