// Runs onnxruntime-web on one thread; more threads need headers that static hosts do not send.

import * as ort from "./onnxruntime/ort.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("./onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url).href };

let session = null, model = null;

self.onmessage = async ({ data }) => {
  try {
    if (data.model) await load(data.model);
    else await translate(data);
  } catch (error) {
    self.postMessage({ error: error.message });
  }
};

async function load(description) {
  model = description;
  const bytes = await download(new URL("./model.onnx", import.meta.url));
  self.postMessage({ progress: "Preparing the model …" });
  session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  self.postMessage({ loaded: true });
}

async function download(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the model cannot be loaded (${answer.status})`);
  const total = Number(answer.headers.get("content-length")), parts = [];
  let done = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { value, done: end } = await reader.read();
    if (end) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    done += value.length;
    const of = total > done ? ` of ${(total / 1e6).toFixed(0)}` : "";
    self.postMessage({ progress: `Loading the model: ${(done / 1e6).toFixed(0)}${of} MB` });
  }
}

async function translate({ frame, seed, pixels }) {
  const start = performance.now();
  const { width, height } = pixels, feeds = { image: planes(pixels, model.input.channels) };
  const random = generator(seed);
  for (const layer of model.noise) {
    const sides = [layer.channels, height / layer.stride, width / layer.stride];
    const values = Float32Array.from({ length: sides[0] * sides[1] * sides[2] }, random);
    feeds[layer.name] = new ort.Tensor("float32", values, [1, ...sides]);
  }
  const { translation } = await session.run(feeds);
  const result = interleaved(translation);
  self.postMessage({ frame, pixels: result, milliseconds: performance.now() - start }, [result.data.buffer]);
}

// RGBA pixels as (1, channels, H, W); one channel is luma.
function planes({ data, width, height }, channels) {
  const size = width * height, values = new Uint8Array(channels * size);
  for (let i = 0; i < size; i++) {
    if (channels === 1) values[i] = Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]);
    else for (let c = 0; c < channels; c++) values[c * size + i] = data[4 * i + c];
  }
  return new ort.Tensor("uint8", values, [1, channels, height, width]);
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
