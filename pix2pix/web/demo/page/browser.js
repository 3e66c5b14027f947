// The engine in this browser: models run in a worker, so that drawing stays responsive.

export function open(pageData, callbacks) { return new Browser(pageData, callbacks); }

class Browser {
  constructor({ browser }, { onstate, onprogress }) {
    Object.assign(this, { onstate, onprogress, waiting: null });
    this.worker = new Worker(new URL("browser_worker.js", import.meta.url), { type: "module" });
    this.worker.onerror = (event) => this.#fail(new Error(event.message || "the worker of the model cannot be started"));
    this.worker.onmessage = ({ data }) => this.#receive(data);
    this.worker.postMessage({ browser });
  }

  // Resolves when all runs have answered; loads the model of a run at its first drawing.
  translate({ frame, seed, runs, pixels }, onresult) {
    return new Promise((resolve, reject) => {
      this.waiting = { onresult, resolve, reject };
      this.worker.postMessage({ frame, seed, runs, pixels }, [pixels.data.buffer]);
    });
  }

  #receive({ progress, loaded, error, done, ...answer }) {
    if (progress) this.onprogress(progress.text, progress.share);
    else if (loaded) this.onstate("ready", `computed in this browser by ${loaded}`);
    else if (error) this.#fail(new Error(error));
    else if (done) this.#end("resolve");
    else this.waiting?.onresult(answer);
  }

  #fail(error) {
    this.onprogress(`The model cannot be used here: ${error.message}.`);
    this.#end("reject", error);
  }

  #end(how, value) {
    const { waiting } = this;
    this.waiting = null;
    waiting?.[how](value);
  }
}
