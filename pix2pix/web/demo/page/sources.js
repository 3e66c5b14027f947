// Sources of a drawing: a sample, a file (chosen, dropped or pasted), the camera.

import { derive } from "./derivations.js";
import { edges, isLineDrawing } from "./edges.js";

export class Sources {
  constructor(drawing, { kind, derivation }, { onpicture, onerror, isDeriving }) {
    Object.assign(this, { drawing, kind, derivation, onpicture, onerror, isDeriving, stream: null });
    this.video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  }

  // Draws a picture as the run expects it: inputs are derived from photos; label maps are not smoothed.
  #put(source, { isInput = false, ...options } = {}) {
    const { drawing, kind, derivation } = this;
    drawing.show(source, { smooth: kind !== "labels", ...options });
    if (derivation ? isInput || !this.isDeriving() : kind !== "edges") return;
    const pixels = drawing.pixels();
    if (kind === "edges" && isLineDrawing(pixels)) return;
    drawing.context.putImageData(derivation ? derive(pixels, derivation) : edges(pixels), 0, 0);
  }

  picture(source, target = null, isInput = false) {
    this.stopCamera();
    this.drawing.begin();
    this.#put(source, { isInput });
    if (this.kind === "photo") this.drawing.keepAsBase();
    this.onpicture(target);
    this.drawing.changed();
  }

  async sample({ input, target }) {
    const [source, goal] = await Promise.all([input, target].map(loaded));
    this.picture(source, goal, true);
  }

  async file(blob) {
    try {
      this.picture(await createImageBitmap(blob, { imageOrientation: "from-image" }));
    } catch {
      this.onerror(new Error(`${blob.name ?? "The pasted item"} is not a picture that this browser can read.`));
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

  // Frames are taken only while `isFree()` is true, that is when the last one has been answered.
  async startCamera(isFree) {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "user" } });
    } catch (error) {
      return this.onerror(new Error(`The camera cannot be used (${error.message}).`));
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.drawing.begin();
    this.onpicture(null);
    const look = () => {
      if (!this.stream) return;
      if (isFree()) { this.#put(this.video, { mirror: true }); this.drawing.changed(); }
      requestAnimationFrame(look);
    };
    look();
    return undefined;
  }

  // The last frame stays on the canvas.
  stopCamera() {
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    if (this.kind === "photo") this.drawing.keepAsBase();
    this.onstop?.();
  }
}

async function loaded(url) {
  const image = Object.assign(new Image(), { src: url });
  await image.decode();
  return image;
}
