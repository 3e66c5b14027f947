// Sends one drawing at a time; when it is answered, the newest state of the canvas. States in between are dropped.

const WINDOW = 1500; // milliseconds over which frames are counted

export class Stream {
  constructor(engine, drawing, { seed, runs, onresult, onmeter, onbusy, onerror }) {
    Object.assign(this, { engine, drawing, seed, runs, onresult, onmeter, onbusy, onerror });
    Object.assign(this, { busy: false, dirty: false, since: 0, number: 0, shown: [] });
  }

  // The canvas changed. Its pixels are read when they are sent, so nothing queues.
  offer() {
    if (!this.dirty) this.since = performance.now();
    this.dirty = true;
    if (!this.busy) this.#run();
  }

  async #run() {
    this.#work(true);
    while (this.dirty) {
      this.dirty = false;
      const since = this.since, frame = ++this.number;
      try {
        const request = { frame, seed: this.seed(), runs: this.runs(), pixels: this.drawing.pixels() };
        await this.engine.translate(request, (result) => this.onresult(result));
        this.#count(performance.now() - since);
      } catch (error) {
        if (error.retry) this.dirty = true; // retry with the newest drawing after the engine has reconnected
        else this.onerror(error);
      }
    }
    this.#work(false);
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
