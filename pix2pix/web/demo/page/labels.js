// Label maps: each pixel is a class of the palette, told by its colour.

import { rgb } from "./drawing.js";

const FAR = 60 ** 2; // squared distance from every class at which a colour is none of the palette
const NEAR = 28 ** 2; // up to here the noise of JPEG
const FEW = 0.003, MANY = 0.3; // shares of pixels
const LIKELY = 4; // how much nearer, squared, a class must be than a blend if no pixel around is certain to be of it

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
    if (share(0) > FEW) this.#settle(image, classes, distances);
    return { pixels: this.picture(classes, image.width, image.height), isPhoto: share(FAR) > MANY };
  }

  // Between two areas JPEG leaves blends that are nearest to a third class. A pixel that is a blend of classes around it
  // takes the nearer of these.
  #settle({ data, width, height }, classes, distances) {
    const { colours } = this, nearest = classes.slice(), isCertain = new Uint8Array(classes.length);
    nearest.forEach((number, i) => {
      if (distances[i] > NEAR) return;
      let alike = 0; // a certain pixel is no speck and on no line one pixel wide
      around(i, width, height, 1, (j) => { if (nearest[j] === number && distances[j] <= NEAR) alike++; });
      if (alike >= 3) isCertain[i] = 1;
    });
    isCertain.forEach((certain, i) => {
      if (certain) return;
      const found = new Set(), colour = data.subarray(4 * i, 4 * i + 3);
      around(i, width, height, 3, (j) => { if (isCertain[j]) found.add(nearest[j]); });
      const local = [...found];
      const isBlend = local.some((a) => local.some((b) => a <= b && toBlend(colour, colours[a], colours[b]) <= LIKELY * distances[i]));
      if (isBlend) classes[i] = local.reduce((best, each) => (squared(colour, colours[each]) < squared(colour, colours[best]) ? each : best));
    });
  }

  picture(classes, width, height) {
    const image = new ImageData(width, height), table = this.colours.map((colour) => [...colour, 255]);
    classes.forEach((number, i) => image.data.set(table[number], 4 * i));
    return image;
  }
}

// Calls `visit` with the places at most `reach` pixels away from a place, without itself.
function around(i, width, height, reach, visit) {
  const x = i % width, y = Math.floor(i / width);
  for (let v = Math.max(0, y - reach); v <= Math.min(height - 1, y + reach); v++) {
    for (let u = Math.max(0, x - reach); u <= Math.min(width - 1, x + reach); u++) if (u !== x || v !== y) visit(v * width + u);
  }
}

const squared = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;

// The squared distance of a colour to the blends of two others.
function toBlend([r, g, b], [r0, g0, b0], [r1, g1, b1]) {
  const [dr, dg, db] = [r1 - r0, g1 - g0, b1 - b0], length = dr * dr + dg * dg + db * db;
  const share = length && (dr * (r - r0) + dg * (g - g0) + db * (b - b0)) / length, t = Math.max(0, Math.min(1, share));
  return (r - r0 - t * dr) ** 2 + (g - g0 - t * dg) ** 2 + (b - b0 - t * db) ** 2;
}
