// Keeps the drawing over a reload: its pixels, what it began from and the seed.

import { recall, remember } from "./storage.js";

const PAUSE = 500; // milliseconds without a change

export class Autosave {
  constructor(drawing, sources, { runs, canvas }) {
    Object.assign(this, { drawing, sources, timer: 0 });
    this.owner = [canvas.width, canvas.height, ...runs.map((run) => run.name)].join(" "); // other runs have other drawings
    addEventListener("pagehide", () => this.#save());
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#save(), PAUSE);
  }

  #save() {
    if (!this.timer) return; // the page has not begun
    const { drawing, owner } = this, { start, seed } = drawing;
    const isOwn = start.sample === null && drawing.erasesToStart; // a picture of the user's, which the eraser brings back
    remember("drawing", { owner, seed, sample: start.sample, picture: encode(drawing.pixels()), base: isOwn ? encode(start.pixels) : null });
  }

  // The state that was kept; null if there is none for these runs.
  async state() {
    const kept = recall("drawing");
    if (kept?.owner !== this.owner) return null;
    const pixels = await decode(kept.picture);
    let start = this.drawing.blank;
    if (kept.sample !== null) start = await this.sources.startOf(kept.sample);
    else if (kept.base) start = { ...start, pixels: await decode(kept.base) };
    return { pixels, start, seed: kept.seed };
  }
}

function encode(pixels) {
  const canvas = Object.assign(document.createElement("canvas"), { width: pixels.width, height: pixels.height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

async function decode(address) {
  const image = Object.assign(new Image(), { src: address });
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}
