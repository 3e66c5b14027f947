// Two fingers, or the wheel with Ctrl, zoom and move the sheet that carries the canvas.

const MOST = 12; // times

export class View {
  constructor(stage, sheet, whole, tools) {
    Object.assign(this, { stage, sheet, whole, tools, fingers: new Map(), scale: 1, x: 0, y: 0 });
    stage.addEventListener("pointerdown", (event) => this.#down(event), { capture: true });
    stage.addEventListener("pointermove", (event) => this.#move(event), { capture: true });
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event), { capture: true });
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    whole.addEventListener("click", () => this.reset());
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.#show();
  }

  #down(event) {
    if (event.pointerType !== "touch" || event.target === this.whole) return;
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.fingers.size === 2) this.tools.cancel(); // the first finger had begun a stroke
  }

  #move(event) {
    const before = this.fingers.get(event.pointerId);
    if (!before) return;
    const old = this.#pinch();
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.fingers.size < 2) return;
    const now = this.#pinch();
    this.#zoom(old.middle, now.distance / Math.max(1, old.distance), now.middle);
  }

  #up(event) { this.fingers.delete(event.pointerId); }

  // Middle and distance of the first two fingers.
  #pinch() {
    const [[x0, y0], [x1, y1] = [x0, y0]] = [...this.fingers.values()];
    return { middle: [(x0 + x1) / 2, (y0 + y1) / 2], distance: Math.hypot(x1 - x0, y1 - y0) };
  }

  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault(); // the browser would zoom the page
    const at = [event.clientX, event.clientY];
    this.#zoom(at, 1.01 ** -event.deltaY, at);
  }

  // What lies under `from` comes to lie under `to`, `times` as large; both are places in the window.
  #zoom(from, times, to) {
    const box = this.stage.getBoundingClientRect(), scale = Math.max(1, Math.min(MOST, this.scale * times));
    const follow = (origin, offset, a, b, side) => {
      const moved = b - origin - ((a - origin - offset) * scale) / this.scale;
      return Math.max(side * (1 - scale), Math.min(0, moved)); // never past the border
    };
    const x = follow(box.left, this.x, from[0], to[0], box.width), y = follow(box.top, this.y, from[1], to[1], box.height);
    Object.assign(this, { x, y, scale });
    this.#show();
  }

  #show() {
    this.sheet.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.whole.hidden = this.scale === 1;
  }
}
