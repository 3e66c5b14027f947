// Sources of a drawing: a sample, a file (chosen, dropped or pasted), the camera, blank paper.

import { Camera } from "./camera.js";
import { derive, grayscale } from "./derivations.js";
import { edges, isLineDrawing } from "./edges.js";
import { Classes } from "./labels.js";

export class Sources {
  // `settings` tells by functions what the page has set: `derives()`, `cleans()`.
  constructor(drawing, history, pageData, { settings, say, isFree, endStroke, oncamera }) {
    const { canvas, samples } = pageData;
    Object.assign(this, { drawing, history, samples, settings, say, endStroke, asked: 0, ...canvas });
    this.classes = canvas.kind === "labels" ? new Classes(canvas.brushes) : null;
    this.camera = new Camera({
      facing: canvas.kind === "photo" ? "environment" : "user", isFree,
      onstart: () => { endStroke(); history.begin(); oncamera(true); },
      onframe: (video, mirror) => { this.#put(video, { mirror }); drawing.begin(); drawing.changed(); },
      onstop: () => oncamera(false),
    });
  }

  // Draws a picture as the run expects it: inputs are derived from photos; label maps are cleaned, not smoothed.
  #put(source, { isInput = false, ...options } = {}) {
    const { drawing, kind, derivation, settings } = this;
    drawing.show(source, { smooth: kind !== "labels", ...options });
    if (this.isGrey) drawing.put(grayscale(drawing.pixels()));
    if (kind === "labels" && settings.cleans()) this.#clean(isInput);
    if (derivation ? isInput || !settings.derives() : kind !== "edges") return;
    const pixels = drawing.pixels();
    if (kind === "edges" && isLineDrawing(pixels)) return;
    drawing.put(derivation ? derive(pixels, derivation) : edges(pixels));
  }

  #clean(isInput) {
    const { pixels, isPhoto } = this.classes.clean(this.drawing.pixels());
    this.drawing.put(pixels);
    if (isPhoto && !isInput) this.say("This looks like a photo. The run takes label maps: each colour was replaced by the nearest class.", true);
  }

  picture(source, { isInput = false, ...start } = {}) {
    this.#replace();
    this.#put(source, { isInput });
    this.drawing.begin(start);
    this.drawing.changed();
  }

  async sample(number) {
    const { input, target } = this.samples[number], asked = ++this.asked;
    const [source, goal] = await Promise.all([input, target].map(loaded));
    if (asked !== this.asked) return; // something else was chosen meanwhile
    this.picture(source, { isInput: true, sample: number, target: goal });
  }

  // What a drawing from this sample begins with, without drawing it: {sample, target, pixels}.
  async startOf(number) {
    const { drawing } = this, now = drawing.state(), { input, target } = this.samples[number];
    const [source, goal] = await Promise.all([input, target].map(loaded));
    this.#put(source, { isInput: true });
    const pixels = drawing.pixels();
    drawing.put(now.pixels);
    return { sample: number, target: goal, pixels };
  }

  blank() {
    this.#replace();
    this.drawing.clear();
  }

  #replace() {
    this.asked++;
    this.camera.stop();
    this.endStroke();
    this.history.begin();
  }

  async file(blob) {
    try {
      this.picture(await createImageBitmap(blob, { imageOrientation: "from-image" }));
    } catch {
      this.say(`${blob.name ?? "The pasted item"} is not a picture that this browser can read.`, true);
    }
  }

  // Accepts files that are dropped on the page or pasted.
  listen(page) {
    page.addEventListener("dragover", (event) => { event.preventDefault(); page.classList.add("dropping"); });
    page.addEventListener("dragleave", (event) => { if (!event.relatedTarget) page.classList.remove("dropping"); });
    page.addEventListener("drop", (event) => {
      event.preventDefault();
      page.classList.remove("dropping");
      if (event.dataTransfer.files.length) this.file(event.dataTransfer.files[0]);
    });
    page.addEventListener("paste", (event) => {
      const picture = [...event.clipboardData.items].find((item) => item.type.startsWith("image/"));
      if (picture) this.file(picture.getAsFile());
    });
  }

  async toggleCamera() {
    if (this.camera.stop()) return;
    try {
      await this.camera.start();
    } catch (error) {
      this.say(error.message, true);
    }
  }
}

async function loaded(url) {
  const image = Object.assign(new Image(), { src: url });
  await image.decode();
  return image;
}
