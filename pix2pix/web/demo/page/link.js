// The drawing, the seed and the runs in the address: #runs=0,2&seed=7&sample=3&drawing=...
// `drawing` has a number for each pixel, 0 for a pixel as the drawing began, else that of its brush; deflated, base64url.

import { hex } from "./drawing.js";

const LONGEST = 30_000; // characters that browsers and messengers pass on

export class Link {
  constructor(drawing, sources, { brushes }, chosen) {
    Object.assign(this, { drawing, sources, brushes, chosen });
    this.numbers = new Map(brushes.map(({ colour }, i) => [colour.toLowerCase(), i + 1]));
  }

  // The part of the address behind #, and whether it holds the drawing: pictures of the user's own stay on the machine.
  async hash() {
    const { drawing } = this, { start, seed } = drawing, words = new URLSearchParams();
    const runs = this.chosen(), codes = this.#codes();
    if (runs) words.set("runs", runs);
    words.set("seed", seed);
    if (codes && start.sample !== null) words.set("sample", start.sample);
    if (codes?.some((code) => code)) words.set("drawing", await pack(codes));
    else if (codes && start.sample === null) words.set("drawing", ""); // blank paper
    const text = words.toString(), isWhole = codes !== null && text.length <= LONGEST;
    if (!isWhole) for (const name of ["sample", "drawing"]) words.delete(name);
    return { text: words.toString(), isWhole };
  }

  // Null if a pixel is neither as the drawing began nor of a brush.
  #codes() {
    const { drawing } = this, { data } = drawing.pixels(), first = this.#first(drawing.start).data;
    const codes = new Uint8Array(data.length / 4);
    for (let i = 0; i < codes.length; i++) {
      const at = 4 * i;
      if (data[at] === first[at] && data[at + 1] === first[at + 1] && data[at + 2] === first[at + 2]) continue;
      codes[i] = this.numbers.get(hex(data.subarray(at, at + 3))) ?? 0;
      if (!codes[i]) return null;
    }
    return codes;
  }

  #first(start) { return (start.sample === null ? this.drawing.blank : start).pixels; }

  // The state and the runs of an address; null if it has none. A wrong address is an error that says so.
  async read(hash) {
    const words = new URLSearchParams(hash.replace(/^#/, ""));
    const seed = Number(words.get("seed") ?? NaN), sample = words.get("sample");
    if (!Number.isInteger(seed) || seed < 0) return null;
    const runs = words.get("runs")?.split(",").map(Number) ?? null;
    if (sample === null && !words.has("drawing")) return { seed, runs, state: null };
    if (sample !== null && !this.sources.samples[sample]) throw new Error("it begins with a sample that is not here");
    const start = sample === null ? this.drawing.blank : await this.sources.startOf(Number(sample));
    const codes = words.get("drawing") ? await unpack(words.get("drawing")) : new Uint8Array(0);
    if (codes.some((code) => code > this.brushes.length)) throw new Error("it was made for other data");
    return { seed, runs, state: { pixels: this.#pixels(codes, this.#first(start)), start, seed } };
  }

  #pixels(codes, first) {
    const image = new ImageData(first.data.slice(), first.width, first.height);
    if (codes.length && codes.length !== image.width * image.height) throw new Error("it was made for pictures of another size");
    codes.forEach((code, i) => {
      if (!code) return;
      const value = parseInt(this.brushes[code - 1].colour.slice(1), 16);
      image.data.set([value >> 16, (value >> 8) & 255, value & 255, 255], 4 * i);
    });
    return image;
  }
}

async function pack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const text = btoa(Array.from(packed, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function unpack(text) {
  try {
    return await inflate(text);
  } catch {
    throw new Error("a part of it is missing or damaged");
  }
}

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Copies a text; where the browser forbids that to pages without https, by way of a selection.
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("the browser does not allow copying; copy the address of the page");
  return undefined;
}
