// Translates drawings in a worker.

import { Runtime } from "./runtime.js";

let runtime = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.browser) runtime = new Runtime(data.browser, (message) => self.postMessage(message));
    else await translate(data);
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};

async function translate({ frame, seed, runs, pixels }) {
  for (const run of runs) {
    const session = await runtime.session(run), start = performance.now();
    const { translation } = await session.run(inputs(runtime.models[run], seed, pixels));
    const result = interleaved(translation);
    self.postMessage({ frame, run, pixels: result, milliseconds: performance.now() - start }, [result.data.buffer]);
  }
  self.postMessage({ done: true });
}

// The picture, and noise for the dropout.
function inputs(model, seed, pixels) {
  const [height, width] = model.size, feeds = { image: planes(resized(pixels, height, width), model.input.channels) };
  const random = generator(seed);
  for (const { name, channels, stride } of model.noise) {
    const shape = [1, channels, height / stride, width / stride];
    feeds[name] = new runtime.ort.Tensor("float32", Float32Array.from({ length: shape.reduce((a, b) => a * b) }, random), shape);
  }
  return feeds;
}

// Runs of other sizes share the drawing; the nearest pixels, because blended labels are other labels.
function resized(pixels, height, width) {
  if (pixels.height === height && pixels.width === width) return pixels;
  const result = new ImageData(width, height), from = new Uint32Array(pixels.data.buffer), to = new Uint32Array(result.data.buffer);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * pixels.height) / height) * pixels.width;
    for (let x = 0; x < width; x++) to[y * width + x] = from[row + Math.floor(((x + 0.5) * pixels.width) / width)];
  }
  return result;
}

// RGBA pixels as (1, channels, H, W); one channel is luma.
function planes({ data, width, height }, channels) {
  const size = width * height, values = new Uint8Array(channels * size);
  for (let i = 0; i < size; i++) {
    if (channels === 1) values[i] = Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]);
    else for (let c = 0; c < channels; c++) values[c * size + i] = data[4 * i + c];
  }
  return new runtime.ort.Tensor("uint8", values, [1, channels, height, width]);
}

function interleaved({ data, dims: [, channels, height, width] }) {
  const size = width * height, image = new ImageData(width, height);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[(channels === 1 ? 0 : c) * size + i];
    image.data[4 * i + 3] = channels === 4 ? data[3 * size + i] : 255;
  }
  return image;
}

// Uniform in [0, 1), the same for the same seed (mulberry32, Tommy Ettinger).
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
