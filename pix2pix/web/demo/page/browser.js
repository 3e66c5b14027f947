// The engine in this browser: the model runs in a worker, so that drawing stays responsive.

export function open(pageData, { onstate, onprogress }) {
  const engine = new Browser(pageData, onprogress);
  engine.loaded.then(() => onstate("ready"), () => {});
  return engine;
}

class Browser {
  constructor(pageData, onprogress) {
    Object.assign(this, { pageData, waiting: null });
    this.worker = new Worker(new URL("browser_worker.js", import.meta.url), { type: "module" });
    this.loaded = new Promise((resolve, reject) => {
      this.worker.onerror = (event) => reject(new Error(event.message || "the model's worker cannot be started"));
      this.worker.onmessage = ({ data }) => {
        if (data.loaded) resolve();
        else if (data.progress) onprogress(data.progress);
        else if (data.error && !this.waiting) reject(new Error(data.error));
        else this.#receive(data);
      };
    });
    this.worker.postMessage({ model: pageData.model });
  }

  async translate({ frame, seed, pixels }, onresult) {
    await this.loaded;
    return new Promise((resolve, reject) => {
      this.waiting = { frame, onresult, resolve, reject };
      this.worker.postMessage({ frame, seed, pixels }, [pixels.data.buffer]);
    });
  }

  #receive(answer) {
    const { waiting } = this;
    this.waiting = null;
    if (answer.error) return waiting.reject(new Error(answer.error));
    waiting.onresult({ ...answer, run: 0 });
    return waiting.resolve();
  }
}
