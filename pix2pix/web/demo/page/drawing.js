// The drawing: its pixels, what it began from, and the seed. Strokes are not antialiased, because a blend of two labels
// could be a third one.

export class Drawing {
  constructor(canvas, { width, height, paper, kind }) {
    Object.assign(canvas, { width, height });
    Object.assign(this, { canvas, width, height, paper, seed: 0, isMirrored: false, onchange: () => {} });
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.cover();
    this.blank = { sample: null, target: null, pixels: this.pixels() };
    this.start = this.blank; // a sample and its target, an own picture, or the blank paper
    this.erasesToStart = kind === "photo"; // elsewhere the eraser leaves paper
  }

  get base() { return (this.erasesToStart ? this.start : this.blank).pixels; }

  pixels() { return this.context.getImageData(0, 0, this.width, this.height); }

  put(pixels) { this.context.putImageData(pixels, 0, 0); }

  state() { return { pixels: this.pixels(), start: this.start, seed: this.seed }; }

  restore({ pixels, start, seed }) {
    this.put(pixels);
    Object.assign(this, { start, seed });
    this.changed();
  }

  changed() { this.onchange(this); }

  // The pixels of now are what the drawing begins from. `sample` is the number of a sample, `target` its target.
  begin({ sample = null, target = null } = {}) { this.start = { sample, target, pixels: this.pixels() }; }

  cover(colour = this.paper) {
    this.context.fillStyle = colour;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  clear() {
    this.cover();
    this.start = this.blank;
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
    for (const left of this.isMirrored ? [x, this.width - x - width] : [x]) {
      if (colour === null) this.context.putImageData(this.base, 0, 0, left, y, width, height);
      else {
        this.context.fillStyle = colour;
        this.context.fillRect(left, y, width, height);
      }
    }
  }

  // Fills the area of similar colour around a pixel, row by row. The tolerance covers the noise of JPEG label maps.
  fill([x, y], colour, tolerance = 24) {
    const image = this.pixels(), paint = colour === null ? null : rgb(colour);
    for (const at of this.isMirrored ? [x, this.width - 1 - x] : [x]) this.#flood(image, [at, y], paint, 3 * tolerance);
    this.put(image);
  }

  #flood(image, [x, y], paint, tolerance) {
    const { data } = image, at = (px, py) => (py * this.width + px) * 4;
    const seed = data.slice(at(x, y), at(x, y) + 4);
    const done = new Uint8Array(this.width * this.height), waiting = [[x, y]];
    const alike = (px, py) => {
      const i = at(px, py);
      return !done[i / 4] && Math.abs(data[i] - seed[0]) + Math.abs(data[i + 1] - seed[1]) + Math.abs(data[i + 2] - seed[2]) <= tolerance;
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
  }
}

export function rgb(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255, 255];
}

export function hex([r, g, b]) { return `#${((r << 16) | (g << 8) | b).toString(16).padStart(6, "0")}`; }
