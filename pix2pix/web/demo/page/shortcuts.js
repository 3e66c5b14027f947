// Keyboard shortcuts: each presses the button with that aria-keyshortcuts, so that every action has a button.

import { recall, remember } from "./storage.js";

const WORDS = { "[": "smaller", "]": "larger" };

// Keys without Ctrl can be switched off: who dictates, or bumps into keys, presses them unseen.
export function shortcuts(letters) {
  letters.checked = recall("letters") !== false;
  letters.addEventListener("change", () => remember("letters", letters.checked));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input:not([type=range], [type=checkbox]), textarea") || document.querySelector("dialog[open]")) return;
    const hasControl = event.ctrlKey || event.metaKey;
    if (event.altKey || (!hasControl && (!letters.checked || event.target.matches("select")))) return;
    const word = hasControl ? null : WORDS[event.key];
    const button = word ? null : pressed(event, hasControl ? "Control+" : "");
    if (!word && !button) return;
    event.preventDefault();
    if (word) resize(word === "larger" ? 1 : -1);
    else if (!button.disabled) button.click();
  });
}

// The button of the keys, if the page shows it.
function pressed(event, control) {
  const shift = event.shiftKey && control ? "Shift+" : "";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const word = `${control}${shift}${key}`.toLowerCase();
  return [...document.querySelectorAll("[aria-keyshortcuts]")].find((button) =>
    isUsable(button) && button.getAttribute("aria-keyshortcuts").toLowerCase().split(" ").includes(word));
}

const isUsable = (button) => !button.closest("[hidden]");

function resize(step) {
  const size = document.getElementById("size");
  size.value = Number(size.value) + step;
  size.dispatchEvent(new Event("input"));
}
