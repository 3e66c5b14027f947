// The engine at the other end of a websocket. A message is a line of JSON, a newline, and raw RGBA pixels.

const NEWLINE = 10, FIRST_WAIT = 300, LONGEST_WAIT = 5000; // milliseconds

export async function open({ onstate }) {
  const tour = await (await fetch("runs")).json();
  return new Server(tour, onstate);
}

class Server {
  constructor(tour, onstate) {
    Object.assign(this, { tour, onstate, waiting: null, patience: FIRST_WAIT });
    this.#close();
    this.#connect();
  }

  // From now on `ready` waits for a connection that is yet to come.
  #close() {
    this.isOpen = false;
    this.ready = new Promise((resolve) => { this.opened = resolve; });
  }

  #connect() {
    const address = new URL("live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = Object.assign(new WebSocket(address), { binaryType: "arraybuffer" });
    this.socket.onopen = () => {
      Object.assign(this, { isOpen: true, patience: FIRST_WAIT });
      this.onstate("ready");
      this.opened();
    };
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = () => this.#lost();
  }

  #lost() {
    if (this.isOpen) this.#close();
    this.onstate("lost");
    this.waiting?.fail(Object.assign(new Error("The connection was lost."), { again: true }));
    this.patience = Math.min(LONGEST_WAIT, this.patience * 1.6);
    setTimeout(() => this.#connect(), this.patience);
  }

  // Resolves when every run has answered the frame; `onresult` hears each as it comes.
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
