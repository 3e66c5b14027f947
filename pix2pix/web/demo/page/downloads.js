// Downloads with one bar of progress over all of them.

export class Downloads {
  // `total` bytes, known beforehand: hosts that compress do not tell.
  constructor(total, post) { Object.assign(this, { total, post, done: 0 }); }

  async get(file) {
    const answer = await fetch(new URL(file, import.meta.url));
    if (!answer.ok) throw new Error(`${file} cannot be loaded (${answer.status})`);
    const parts = [];
    for (const reader = answer.body.getReader(); ;) {
      const { value, done } = await reader.read();
      if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
      parts.push(value);
      this.done += value.length;
      this.say(`Loading the model: ${(this.done / 1e6).toFixed(1)} of ${(this.total / 1e6).toFixed(1)} MB`);
    }
  }

  say(text) { this.post({ progress: { text, share: Math.min(1, this.done / this.total) } }); }
}
