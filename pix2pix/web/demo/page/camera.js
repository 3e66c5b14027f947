// The camera. While it is on, each of its frames replaces the drawing.

const REFUSED = {
  NotAllowedError: "The browser was not allowed to use the camera.",
  NotFoundError: "This device has no camera.",
  NotReadableError: "Another program uses the camera.",
};

export class Camera {
  // `facing` is the camera of a phone: "user" or "environment". `onframe(video, isMirrored)` takes a frame.
  constructor({ facing, isFree, onstart, onframe, onstop }) {
    Object.assign(this, { facing, isFree, onstart, onframe, onstop, stream: null });
    this.video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  }

  get isOn() { return this.stream !== null; }

  // Throws an error that says why there are no pictures.
  async start() {
    if (!navigator.mediaDevices) throw new Error("Browsers open the camera only over https or on the machine of the demo. Use Upload: on a phone it offers the camera too.");
    const wanted = { width: { ideal: 640 }, facingMode: { ideal: this.facing } };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
    } catch (error) {
      throw new Error(`${REFUSED[error.name] ?? `The camera cannot be used (${error.message}).`} Use Upload instead.`);
    }
    // Who looks into the camera expects a mirror; the camera at the back shows the world as it is.
    const facing = this.stream.getVideoTracks()[0].getSettings().facingMode ?? "user";
    this.video.srcObject = this.stream;
    await this.video.play();
    this.onstart();
    const look = () => {
      if (!this.stream) return;
      if (this.isFree()) this.onframe(this.video, facing !== "environment");
      requestAnimationFrame(look);
    };
    look();
  }

  // The last frame stays. Returns whether the camera was on.
  stop() {
    if (!this.stream) return false;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.onstop();
    return true;
  }
}
