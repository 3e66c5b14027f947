// The drawing and its history. Strokes are not antialiased, because a blend of two labels could be a third one.

const STEPS = 60;

export class Drawing {
  constructor(canvas, { width, height, paper }) {
    Object.assign(canvas, { width, height });
    Object.assign(this, { canvas, width, height, paper, past: [], future: [], onchange: () => {} });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.cover();
    this.base = this.pixels(); // what the eraser restores: the paper, or the picture below the drawing
  }

  pixels() { return this.context.getImageData(0, 0, this.width, this.height); }

  changed() { this.onchange(this); }

  // Call before each stroke, fill or new picture: one step of undo.
  begin() {
    this.past.push(this.pixels());
    if (this.past.length > STEPS) this.past.shift();
    this.future.length = 0;
  }

  undo() { this.#step(this.past, this.future); }
  redo() { this.#step(this.future, this.past); }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.pixels());
    this.context.putImageData(from.pop(), 0, 0);
    this.changed();
  }

  cover(colour = this.paper) {
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  clear() {
    this.begin();
    this.cover();
    this.base = this.pixels();
    this.changed();
  }

  // Draws a picture that covers the canvas, cropped at the centre. Label maps are not smoothed.
  show(source, { smooth = true, mirror = false } = {}) {
    const width = source.videoWidth || source.naturalWidth || source.width;
    const height = source.videoHeight || source.naturalHeight || source.height;
    const scale = Math.max(this.width / width, this.height / height);
    const [w, h] = [width * scale, height * scale];
    this.cover();
    this.context.save();
    this.context.imageSmoothingEnabled = smooth;
    this.context.imageSmoothingQuality = "high";
    if (mirror) this.context.setTransform(-1, 0, 0, 1, this.width, 0);
    this.context.drawImage(source, (this.width - w) / 2, (this.height - h) / 2, w, h);
    this.context.restore();
  }

  keepAsBase() { this.base = this.pixels(); }

  // A disc of `size` pixels across, centred on a pixel; `colour` null erases.
  dab(x, y, size, colour) {
    const radius = size / 2;
    for (let dy = -Math.floor(radius); dy <= Math.floor(radius); dy++) {
      const reach = Math.floor(Math.sqrt(Math.max(0, radius * radius - dy * dy)));
      this.#span(x - reach, y + dy, 2 * reach + 1, 1, colour);
    }
  }

  // Dabs along a straight line (Bresenham 1965).
  line([x0, y0], [x1, y1], size, colour) {
    const [dx, dy] = [Math.abs(x1 - x0), -Math.abs(y1 - y0)];
    const [stepX, stepY] = [x0 < x1 ? 1 : -1, y0 < y1 ? 1 : -1];
    for (let error = dx + dy; ;) {
      this.dab(x0, y0, size, colour);
      if (x0 === x1 && y0 === y1) return;
      const twice = 2 * error;
      if (twice >= dy) { error += dy; x0 += stepX; }
      if (twice <= dx) { error += dx; y0 += stepY; }
    }
  }

  rectangle([x0, y0], [x1, y1], colour) {
    const [left, top] = [Math.min(x0, x1), Math.min(y0, y1)];
    this.#span(left, top, Math.abs(x1 - x0) + 1, Math.abs(y1 - y0) + 1, colour);
  }

  #span(x, y, width, height, colour) {
    if (colour === null) return this.context.putImageData(this.base, 0, 0, x, y, width, height);
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
  }

  // Fills the area of similar colour around a pixel, row by row. The tolerance covers the noise of JPEG label maps.
  fill([x, y], colour, tolerance = 24) {
    const image = this.pixels(), { data } = image, at = (px, py) => (py * this.width + px) * 4;
    const seed = data.slice(at(x, y), at(x, y) + 4), paint = colour === null ? null : rgb(colour);
    const done = new Uint8Array(this.width * this.height), waiting = [[x, y]];
    const alike = (px, py) => {
      const i = at(px, py);
      return !done[i / 4] && Math.abs(data[i] - seed[0]) + Math.abs(data[i + 1] - seed[1]) + Math.abs(data[i + 2] - seed[2]) <= 3 * tolerance;
    };
    while (waiting.length) {
      let [left, row] = waiting.pop();
      if (!alike(left, row)) continue;
      while (left > 0 && alike(left - 1, row)) left--;
      for (let px = left; px < this.width && alike(px, row); px++) {
        const i = at(px, row);
        data.set(paint ?? this.base.data.subarray(i, i + 4), i);
        done[i / 4] = 1;
        if (row > 0 && alike(px, row - 1)) waiting.push([px, row - 1]);
        if (row < this.height - 1 && alike(px, row + 1)) waiting.push([px, row + 1]);
      }
    }
    this.context.putImageData(image, 0, 0);
  }
}

export function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255, 255];
}
