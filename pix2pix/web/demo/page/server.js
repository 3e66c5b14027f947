// The engine behind a WebSocket. A message is a line of JSON, a newline, and raw RGBA pixels.

const NEWLINE = 10, MIN_RETRY_DELAY = 300, MAX_RETRY_DELAY = 5000; // milliseconds

export function open(_, { onstate }) { return new Server(onstate); }

class Server {
  constructor(onstate) {
    Object.assign(this, { onstate, waiting: null, retryDelay: MIN_RETRY_DELAY });
    this.#close();
    this.#connect();
    addEventListener("pagehide", () => this.socket.close()); // a page that the browser keeps for "Back" connects again
  }

  // Resets `ready`, which resolves at the next connection.
  #close() {
    this.isOpen = false;
    this.ready = new Promise((resolve) => { this.opened = resolve; });
  }

  #connect() {
    const address = new URL("live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = Object.assign(new WebSocket(address), { binaryType: "arraybuffer" });
    this.socket.onopen = () => {
      Object.assign(this, { isOpen: true, retryDelay: MIN_RETRY_DELAY });
      this.onstate("ready");
      this.opened();
    };
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = () => this.#lost();
  }

  #lost() {
    if (this.isOpen) this.#close();
    this.onstate("lost");
    this.waiting?.fail(Object.assign(new Error("The connection was lost."), { retry: true }));
    this.retryDelay = Math.min(MAX_RETRY_DELAY, this.retryDelay * 1.6);
    setTimeout(() => this.#connect(), this.retryDelay);
  }

  // Resolves when all runs have answered the frame; calls `onresult` with each answer.
  async translate({ frame, seed, runs, pixels }, onresult) {
    await this.ready;
    const line = JSON.stringify({ frame, seed, runs, width: pixels.width, height: pixels.height });
    const header = new TextEncoder().encode(`${line}\n`), message = new Uint8Array(header.length + pixels.data.length);
    message.set(header);
    message.set(pixels.data, header.length);
    return new Promise((resolve, reject) => {
      const end = (settle) => (value) => { this.waiting = null; settle(value); };
      this.waiting = { frame, left: new Set(runs), onresult, done: end(resolve), fail: end(reject) };
      this.socket.send(message);
    });
  }

  #receive(buffer) {
    const bytes = new Uint8Array(buffer), end = bytes.indexOf(NEWLINE);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    const waiting = this.waiting;
    if (!waiting || header.frame !== waiting.frame) return;
    if (header.error) return waiting.fail(new Error(header.error));
    const pixels = new ImageData(new Uint8ClampedArray(buffer, end + 1), header.width, header.height);
    waiting.onresult({ ...header, pixels });
    waiting.left.delete(header.run);
    if (!waiting.left.size) waiting.done();
  }
}
