// Inputs made from photos, as the training of a run on derived inputs made them (pix2pix/data/sources/derivations.py).
// `derivation` comes from pix2pix/web/demo/derivation.py, for pictures of the canvas's size.

import { luma } from "./edges.js";

export function derive(image, derivation) {
  return DERIVATIONS[derivation.operation](image, derivation);
}

export const DERIVATION_NAMES = {
  grayscale: "Make photos grey", edges: "Make edges of photos", inpaint: "Cut a hole into photos",
  superres: "Lower the resolution of photos", blur: "Blur photos", noise: "Add noise to photos",
};

const DERIVATIONS = { grayscale, edges: canny, inpaint, superres, blur, noise };

export function grayscale(image) {
  const grey = luma(image);
  return mapped(image, (i) => grey[i >> 2]);
}

// A hole, white or of noise.
function inpaint(image, { top, left, side, fill }) {
  const inside = (i) => {
    const x = (i >> 2) % image.width - left, y = Math.floor((i >> 2) / image.width) - top;
    return x >= 0 && x < side && y >= 0 && y < side;
  };
  return mapped(image, (i) => (!inside(i) ? image.data[i] : fill === "noise" ? Math.floor(256 * Math.random()) : 255));
}

function noise(image, { deviation }) {
  // Box and Muller (1958): a normal number from two uniform ones.
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return mapped(image, (i) => image.data[i] + deviation * normal());
}

function blur(image, { weights }) {
  const reach = weights.length >> 1, mirror = (at, limit) => (at < 0 ? -at : at >= limit ? 2 * (limit - 1) - at : at);
  const taps = (at, limit) => weights.map((weight, k) => [mirror(at + k - reach, limit), weight]);
  const wide = filtered(planes(image), image.height, image.width, "x", image.width, taps);
  return joined(filtered(wide, image.height, image.width, "y", image.height, taps), image);
}

// The means of squares, enlarged again bicubically, in whole levels after each pass as torch does.
function superres(image, { rows, columns }) {
  const { width, height } = image;
  const sums = filtered(filtered(planes(image), height, width, "x", columns, squares(width, columns)), height, columns, "y", rows, squares(height, rows));
  const down = squares(height, rows), across = squares(width, columns);
  const counts = Array.from({ length: rows * columns }, (_, i) => down(Math.floor(i / columns)).length * across(i % columns).length);
  const small = sums.map((plane) => plane.map((sum, i) => halfToEven(sum / counts[i])));
  const wide = levels(filtered(small, rows, columns, "x", width, cubic(columns, width)));
  return joined(levels(filtered(wide, rows, width, "y", height, cubic(rows, height))), image);
}

// The pixels, of `limit`, in each of `count` squares along a side, which may share a pixel.
const squares = (limit, count) => (at) => {
  const start = Math.floor((at * limit) / count), end = Math.ceil(((at + 1) * limit) / count);
  return Array.from({ length: end - start }, (_, k) => [start + k, 1]);
};

// As torch and numpy round; Math.round takes 0.5 up.
function halfToEven(value) {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 ? up - 1 : up;
}

// Weights of Keys (1981), a = -0.5, for enlarging `from` pixels to `to`; at borders only pixels that exist count.
function cubic(from, to) {
  const all = Array.from({ length: to }, (_, at) => {
    const centre = ((at + 0.5) * from) / to, taps = [];
    for (let k = Math.max(0, Math.floor(centre - 2)); k < Math.min(from, Math.ceil(centre + 2)); k++) {
      const t = Math.abs(k + 0.5 - centre);
      taps.push([k, t < 1 ? (1.5 * t - 2.5) * t * t + 1 : t < 2 ? -0.5 * (((t - 5) * t + 8) * t - 4) : 0]);
    }
    const sum = taps.reduce((total, [, weight]) => total + weight, 0);
    return taps.map(([k, weight]) => [k, weight / sum]);
  });
  // torch keeps them as integers of 16 bits, all with the same binary point.
  const largest = Math.max(...all.flat().map(([, weight]) => weight));
  let unit = 1;
  while (Math.floor(0.5 + 2 * unit * largest) < 2 ** 15) unit *= 2;
  return (at) => all[at].map(([k, weight]) => [k, Math.sign(weight) * Math.floor(0.5 + unit * Math.abs(weight)) / unit]);
}

// Filters planes (height x width) along x or y to `size` pixels; `taps(at)` are the pixels and weights of an output.
function filtered(all, height, width, along, size, taps) {
  const limit = along === "x" ? width : height, table = Array.from({ length: size }, (_, at) => taps(at, limit));
  const [rows, columns] = along === "x" ? [height, size] : [size, width];
  return all.map((plane) => {
    const result = new Float64Array(rows * columns);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (const [k, weight] of table[along === "x" ? x : y]) sum += weight * plane[along === "x" ? y * width + k : k * width + x];
        result[y * columns + x] = sum;
      }
    }
    return result;
  });
}

const planes = ({ data }) => [0, 1, 2].map((c) => Float64Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + c]));

const levels = (all) => all.map((plane) => plane.map((value) => Math.max(0, Math.min(255, Math.round(value)))));

const joined = (all, image) => mapped(image, (i) => all[i % 4][i >> 2]);

// An opaque picture of the values for the places in `data`; values are rounded and clamped.
function mapped(image, value) {
  const result = new ImageData(image.width, image.height);
  for (let i = 0; i < result.data.length; i++) result.data[i] = i % 4 === 3 ? 255 : Math.round(value(i));
  return result;
}

// Canny's edges (1986), black on white, in the integers of OpenCV's Canny.
function canny(image, { low, high }) {
  const { width, height } = image, grey = luma(image).map(Math.round);
  const at = (x, y) => grey[Math.max(0, Math.min(height - 1, y)) * width + Math.max(0, Math.min(width - 1, x))];
  const gx = new Int32Array(width * height), gy = new Int32Array(width * height), size = new Int32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x, [a, b, c] = [at(x - 1, y - 1), at(x, y - 1), at(x + 1, y - 1)];
      const [d, e] = [at(x - 1, y), at(x + 1, y)], [f, g, h] = [at(x - 1, y + 1), at(x, y + 1), at(x + 1, y + 1)];
      gx[i] = c + 2 * e + h - a - 2 * d - f;
      gy[i] = f + 2 * g + h - a - 2 * b - c;
      size[i] = Math.abs(gx[i]) + Math.abs(gy[i]);
    }
  }
  const state = suppressed(gx, gy, size, width, height, low, high);
  follow(state, width, height);
  return mapped(image, (i) => (state[i >> 2] === 2 ? 0 : 255));
}

// 2 for a strong local maximum across the edge, 1 for a weak one, otherwise 0.
function suppressed(gx, gy, size, width, height, low, high) {
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : size[y * width + x]);
  return Uint8Array.from(size, (value, i) => {
    if (value <= low) return 0;
    const x = i % width, y = Math.floor(i / width);
    const across = Math.abs(gx[i]), down = Math.abs(gy[i]) * 32768, tan22 = across * 13573; // tan 22.5°, times 2^15
    let isPeak;
    if (down < tan22) isPeak = value > at(x - 1, y) && value >= at(x + 1, y);
    else if (down > tan22 + across * 65536) isPeak = value > at(x, y - 1) && value >= at(x, y + 1);
    else {
      const step = gx[i] < 0 !== gy[i] < 0 ? -1 : 1;
      isPeak = value > at(x - step, y - 1) && value > at(x + step, y + 1);
    }
    return !isPeak ? 0 : value > high ? 2 : 1;
  });
}

// Hysteresis: weak maxima become strong where they touch strong ones.
function follow(state, width, height) {
  const waiting = [...state.keys()].filter((i) => state[i] === 2);
  while (waiting.length) {
    const i = waiting.pop(), x = i % width, y = Math.floor(i / width);
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        if (state[v * width + u] === 1) { state[v * width + u] = 2; waiting.push(v * width + u); }
      }
    }
  }
}
