// The tool that copies: one drag marks an area, each drag from inside it places a copy, which is the next marked area.

import { area, isInside } from "./geometry.js";

export class Copier {
  constructor(drawing, history, frame) {
    Object.assign(this, { drawing, history, frame, marked: null, from: null, held: null });
  }

  // With `isMove` the original is erased.
  start(place, isMove) {
    this.from = place;
    if (!this.marked || !isInside(this.marked, place)) return this.mark(area(place, place));
    const { x, y, width, height } = this.marked, before = this.history.begin();
    const picture = new OffscreenCanvas(width, height);
    picture.getContext("2d").drawImage(this.drawing.canvas, x, y, width, height, 0, 0, width, height);
    if (isMove) this.drawing.rectangle([x, y], [x + width - 1, y + height - 1], null);
    this.held = { picture, before, origin: this.marked, pixels: this.drawing.pixels() };
    return undefined;
  }

  drag(place) {
    if (!this.held) return this.mark(area(this.from, place));
    const { picture, origin, pixels } = this.held, { drawing } = this;
    const at = { ...origin, x: origin.x + place[0] - this.from[0], y: origin.y + place[1] - this.from[1] };
    drawing.put(pixels);
    drawing.context.drawImage(picture, at.x, at.y);
    if (drawing.isMirrored) {
      drawing.context.save();
      drawing.context.setTransform(-1, 0, 0, 1, drawing.width, 0);
      drawing.context.drawImage(picture, at.x, at.y);
      drawing.context.restore();
    }
    return this.mark(at);
  }

  finish() { this.from = this.held = null; }

  cancel() {
    if (this.held) this.history.cancel();
    this.mark(this.held ? this.held.origin : null);
    this.finish();
  }

  mark(marked) {
    const { width, height } = this.drawing;
    this.marked = marked;
    this.frame.hidden = !marked;
    if (!marked) return;
    const share = (value, of) => `${(value / of) * 100}%`;
    Object.assign(this.frame.style, {
      left: share(marked.x, width), top: share(marked.y, height),
      width: share(marked.width, width), height: share(marked.height, height),
    });
  }
}
