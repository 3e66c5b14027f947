// Label maps: each pixel is a class of the palette, told by its colour.

import { rgb } from "./drawing.js";

const FAR = 60 ** 2; // squared distance from every class at which a colour is none of the palette
const NEAR = 28 ** 2; // up to here the noise of JPEG
const FEW = 0.003, MANY = 0.3; // shares of pixels

export class Classes {
  constructor(brushes) { this.colours = brushes.map(({ colour }) => rgb(colour).slice(0, 3)); }

  // The nearest class of each pixel, and the squared distance to its colour.
  nearest({ data }) {
    const count = data.length / 4, classes = new Uint8Array(count), distances = new Float64Array(count), known = new Map();
    for (let i = 0; i < count; i++) {
      const key = (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2];
      if (!known.has(key)) known.set(key, this.#nearest(data[4 * i], data[4 * i + 1], data[4 * i + 2]));
      [classes[i], distances[i]] = known.get(key);
    }
    return { classes, distances };
  }

  #nearest(r, g, b) {
    let best = 0, least = Infinity;
    this.colours.forEach(([red, green, blue], number) => {
      const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
      if (distance < least) [best, least] = [number, distance];
    });
    return [best, least];
  }

  // A picture of whole classes, and whether the original looks like a photo.
  clean(image) {
    const { classes, distances } = this.nearest(image), count = classes.length;
    const share = (limit) => distances.reduce((sum, distance) => sum + (distance > limit), 0) / count;
    if (share(0) > FEW) regrow(classes, distances, image.width);
    return { pixels: this.picture(classes, image.width, image.height), isPhoto: share(FAR) > MANY };
  }

  picture(classes, width, height) {
    const image = new ImageData(width, height), table = this.colours.map((colour) => [...colour, 255]);
    classes.forEach((number, i) => image.data.set(table[number], 4 * i));
    return image;
  }
}

// Between two areas JPEG leaves blends that are nearest to a third class. They take the class of the neighbours that
// are certain, from the borders inwards; a certain pixel is near its colour and has neighbours of its class.
function regrow(classes, distances, width) {
  const height = classes.length / width, around = neighbours(width, height);
  let waiting = [];
  const isCertain = Uint8Array.from(classes, (number, i) => {
    let alike = 0;
    for (const j of around(i)) if (classes[j] === number && distances[j] <= NEAR) alike++;
    return distances[i] <= NEAR && alike >= 2 ? 1 : 0;
  });
  isCertain.forEach((certain, i) => { if (!certain) waiting.push(i); });
  while (waiting.length) {
    const found = waiting.map((i) => [i, commonest(around(i).filter((j) => isCertain[j]).map((j) => classes[j]))]).filter(([, number]) => number !== null);
    if (!found.length) return; // nothing is certain: the nearest classes stay
    for (const [i, number] of found) { classes[i] = number; isCertain[i] = 1; }
    waiting = waiting.filter((i) => !isCertain[i]);
  }
}

const neighbours = (width, height) => (i) => {
  const x = i % width, y = Math.floor(i / width), result = [];
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) if (u !== x || v !== y) result.push(v * width + u);
  }
  return result;
};

function commonest(numbers) {
  const counts = new Map();
  let best = null;
  for (const number of numbers) {
    counts.set(number, (counts.get(number) ?? 0) + 1);
    if (best === null || counts.get(number) > counts.get(best)) best = number;
  }
  return best;
}
