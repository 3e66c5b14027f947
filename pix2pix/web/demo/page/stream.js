// Sends one drawing at a time; when it is answered, the newest state of the canvas. States in between are dropped.

const WINDOW = 1500; // milliseconds over which frames are counted

export class Stream {
  constructor(engine, drawing, { runs, onresult, onmeter, onbusy, onerror }) {
    Object.assign(this, { engine, drawing, runs, onresult, onmeter, onbusy, onerror });
    Object.assign(this, { busy: false, dirty: false, since: 0, number: 0, shown: [], extras: [] });
  }

  // The canvas changed. Its pixels are read when they are sent, so nothing queues.
  offer() {
    if (!this.dirty) this.since = performance.now();
    this.dirty = true;
    this.extras = []; // they belonged to the drawing before
    this.#wake();
  }

  // Translates the drawing with other seeds, {seed, onresult}, by the first run, unless it changes meanwhile.
  ask(extras) {
    this.extras = extras;
    this.#wake();
  }

  #wake() { if (!this.busy) this.#run(); }

  async #run() {
    this.#work(true);
    while (this.dirty || this.extras.length) {
      if (this.dirty) await this.#translate(this.drawing.seed, this.runs(), this.onresult, true);
      else {
        const { seed, onresult } = this.extras.shift();
        await this.#translate(seed, this.runs().slice(0, 1), onresult, false);
      }
    }
    this.#work(false);
  }

  async #translate(seed, runs, onresult, isDrawing) {
    const { since } = this, frame = ++this.number;
    if (isDrawing) this.dirty = false;
    try {
      if (runs.length) await this.engine.translate({ frame, seed, runs, pixels: this.drawing.pixels() }, onresult);
      if (isDrawing) this.#count(performance.now() - since);
    } catch (error) {
      if (error.retry) this.dirty = true; // retry with the newest drawing after the engine has reconnected
      else this.onerror(error);
    }
  }

  #work(busy) {
    this.busy = busy;
    this.onbusy(busy);
  }

  // The delay of a frame lasts from its first change to its last result on the screen.
  #count(delay) {
    const now = performance.now();
    this.shown = [...this.shown.filter((time) => now - time < WINDOW), now];
    const span = now - this.shown[0], frames = this.shown.length - 1;
    this.onmeter({ frame: this.number, delay, rate: frames > 0 ? (frames * 1000) / span : null });
  }
}
