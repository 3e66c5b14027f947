// What the page says: over the drawing for a while, or as a veil over the translations as long as something lasts.

const $ = (id) => document.getElementById(id);
const SHORTEST = 5000, EACH_LETTER = 70; // milliseconds to read
let timer;

export function say(text, isUrgent = false) {
  $("status").textContent = text;
  $("status").classList.toggle("urgent", isUrgent);
  clearTimeout(timer);
  timer = setTimeout(() => { $("status").textContent = ""; }, Math.max(SHORTEST, EACH_LETTER * text.length));
}

// A hint has been read when somebody draws.
export function hush() { if (!$("status").classList.contains("urgent")) $("status").textContent = ""; }

// `text` null lifts the veil; `share` of 1 shows a bar of progress.
export function veil(text, share = null) {
  $("veil").hidden = text === null;
  $("veil-text").textContent = text ?? "";
  $("progress").hidden = share === null;
  $("progress").value = share ?? 0;
}

// `engine` tells by what pictures are computed, if that is worth telling.
export function showState(name, engine = "") {
  $("engine").textContent = engine && `· ${engine}`;
  document.body.dataset.state = name;
  veil(name === "lost" ? "Disconnected. Trying again …" : null);
}

export function showMeter({ rate, delay }) {
  $("rate").textContent = rate === null ? "–" : rate.toFixed(rate < 10 ? 1 : 0);
  $("delay").textContent = Math.round(delay);
}
