// The film: what was made on this page, as small pictures of the translations; a click goes back.

const MOST = 40, PAUSE = 700, SIDE = 128; // pictures, milliseconds without a change, pixels

export class Film {
  // `isStill()` tells whether nobody draws and everything is translated; `output()` is the translation to keep.
  constructor(place, drawing, history, { isStill, output }) {
    Object.assign(this, { place, drawing, history, isStill, output, frames: [], timer: 0 });
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.isStill() ? this.#take() : this.later()), PAUSE);
  }

  #take() {
    const state = this.drawing.state(), known = this.frames.find((frame) => isSame(frame.state, state));
    const frame = known ?? this.#add(state);
    for (const each of this.frames) each.button.setAttribute("aria-pressed", String(each === frame));
  }

  #add(state) {
    const output = this.output(), scale = Math.min(1, SIDE / Math.max(output.width, output.height));
    const picture = Object.assign(document.createElement("canvas"), { width: output.width * scale, height: output.height * scale });
    picture.getContext("2d").drawImage(output, 0, 0, picture.width, picture.height);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sample", title: "Back to this" });
    button.setAttribute("aria-label", `Back to ${new Date().toLocaleTimeString()}, seed ${state.seed}`);
    button.append(picture);
    button.addEventListener("click", () => this.history.go(state));
    const frame = { state, button };
    this.frames.push(frame);
    if (this.frames.length > MOST) this.frames.shift().button.remove();
    this.place.prepend(button); // the newest first
    this.place.hidden = this.frames.length < 2;
    return frame;
  }
}

function isSame(a, b) {
  if (a.seed !== b.seed) return false;
  const [first, second] = [a, b].map(({ pixels }) => new Uint32Array(pixels.data.buffer));
  return first.every((value, i) => value === second[i]);
}
