// What can be undone: states of the drawing, which are its pixels, what it began from (with its target) and the seed.

const MOST_STEPS = 60, FEWEST_STEPS = 10, BYTES = 64e6;

export class History {
  constructor(drawing) {
    Object.assign(this, { drawing, past: [], future: [], undone: [] });
    this.steps = Math.max(FEWEST_STEPS, Math.min(MOST_STEPS, Math.floor(BYTES / (4 * drawing.width * drawing.height))));
  }

  // Call before each stroke, fill, new picture or new seed. Returns the state before it.
  begin() {
    const state = this.drawing.state();
    this.past.push(state);
    if (this.past.length > this.steps) this.past.shift();
    [this.undone, this.future] = [this.future, []];
    return state;
  }

  // Takes back what began last, as if it had never begun.
  cancel() {
    this.future = this.undone;
    this.drawing.restore(this.past.pop());
  }

  undo() { this.#step(this.past, this.future); }
  redo() { this.#step(this.future, this.past); }

  // Goes to a state, which can be undone.
  go(state) {
    this.begin();
    this.drawing.restore(state);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.drawing.state());
    this.drawing.restore(from.pop());
  }
}
