// onnxruntime-web in the worker: on the graphics card by WebGPU where the browser has one, else as WebAssembly on one
// thread; more threads need headers that static hosts do not send.

import { Downloads } from "./downloads.js";

const KINDS = {
  webgpu: { name: "WebGPU", script: "./onnxruntime/ort.webgpu.js" },
  wasm: { name: "WebAssembly", script: "./onnxruntime/ort.js" },
};

// Which of the two is used. `sizes` are bytes; `post` sends messages to the page.
export class Runtime {
  constructor({ runtimes, models }, post) {
    Object.assign(this, { runtimes, models, post, kind: null, ort: null, sessions: new Map(), files: new Map() });
  }

  async session(number) {
    if (this.sessions.has(number)) return this.sessions.get(number);
    this.kind ??= (await hasWebGPU(this.models[number])) ? "webgpu" : "wasm";
    let session;
    try {
      session = await this.#open(number);
    } catch (error) {
      if (this.kind === "wasm") throw error;
      console.info(`WebGPU is not used: ${error.message}`); // a driver that does not do what the browser promised
      Object.assign(this, { kind: "wasm", ort: null });
      this.sessions.clear();
      session = await this.#open(number);
    }
    this.files.delete(number);
    this.sessions.set(number, session);
    this.post({ loaded: KINDS[this.kind].name });
    return session;
  }

  async #open(number) {
    const { kind, runtimes, models } = this, model = models[number], runtime = runtimes[kind];
    const known = this.files.get(number), total = (known ? 0 : model.bytes) + (this.ort ? 0 : runtime.bytes);
    const downloads = new Downloads(total, this.post);
    const [bytes] = await Promise.all([known ?? downloads.get(model.file), this.ort ?? this.#start(kind, runtime.file, downloads)]);
    this.files.set(number, bytes);
    downloads.say("Preparing the model …");
    const session = await this.ort.InferenceSession.create(bytes, { executionProviders: [kind], logSeverityLevel: 3 });
    if (kind === "webgpu") await this.#check(session, model);
    return session;
  }

  async #start(kind, file, downloads) {
    const binary = await downloads.get(file), ort = await import(KINDS[kind].script);
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = binary;
    this.ort = ort;
  }

  // A picture of many colours must not become one of a single value, as it does where 16 bits overflow.
  async #check(session, model) {
    const { Tensor } = this.ort, [height, width] = model.size, feeds = {};
    const values = Uint8Array.from({ length: model.input.channels * height * width }, (_, i) => (i * 37) % 251);
    feeds.image = new Tensor("uint8", values, [1, model.input.channels, height, width]);
    for (const { name, channels, stride } of model.noise) {
      const shape = [1, channels, height / stride, width / stride];
      feeds[name] = new Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b)).fill(0.75), shape);
    }
    const { translation } = await session.run(feeds);
    if (new Set(translation.data).size < 3) throw new Error("the graphics card computes no picture");
  }
}

async function hasWebGPU({ half }) {
  if (!self.navigator.gpu || !WebAssembly.Suspending) return false; // the runtime waits for the card by suspending
  const adapter = await self.navigator.gpu.requestAdapter().catch(() => null);
  return adapter !== null && (!half || adapter.features.has("shader-f16"));
}
