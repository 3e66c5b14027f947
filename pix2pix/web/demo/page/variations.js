// Four variations: the drawing as it is, with four other seeds. A click keeps one.

const PAUSE = 300; // milliseconds without a change

export const randomSeed = () => Math.floor(Math.random() * 100_000); // short enough to be typed

export class Variations {
  // `translate(jobs)` translates {seed, onresult} when there is nothing newer to do; `keep(seed)` chooses one.
  constructor(place, button, { translate, keep, isStill }) {
    Object.assign(this, { place, button, translate, isStill, timer: 0 });
    this.cells = Array.from({ length: 4 }, () => this.#cell(keep));
    place.append(...this.cells.map((cell) => cell.choice));
    button.addEventListener("click", () => this.toggle());
  }

  #cell(keep) {
    const picture = document.createElement("canvas"), name = document.createElement("span");
    const choice = Object.assign(document.createElement("button"), { type: "button", className: "variation" });
    choice.append(picture, name);
    const cell = { picture, name, choice, seed: 0 };
    choice.addEventListener("click", () => {
      keep(cell.seed);
      if (getComputedStyle(this.place).position === "fixed") this.toggle(); // on small screens they lie over the canvas
    });
    return cell;
  }

  get isOn() { return !this.place.hidden; }

  toggle() {
    this.place.hidden = this.isOn;
    this.button.setAttribute("aria-pressed", String(this.isOn));
    if (this.isOn) this.shuffle();
  }

  // Other seeds.
  shuffle() {
    for (const cell of this.cells) {
      cell.seed = randomSeed();
      cell.name.textContent = `seed ${cell.seed}`;
      cell.choice.setAttribute("aria-label", `Keep seed ${cell.seed}`);
    }
    this.later();
  }

  later() {
    clearTimeout(this.timer);
    if (this.isOn) this.timer = setTimeout(() => (this.isStill() ? this.#show() : this.later()), PAUSE);
  }

  #show() {
    this.translate(this.cells.map((cell) => ({
      seed: cell.seed,
      onresult: ({ pixels }) => {
        Object.assign(cell.picture, { width: pixels.width, height: pixels.height });
        cell.picture.getContext("2d").putImageData(pixels, 0, 0);
      },
    })));
  }
}
