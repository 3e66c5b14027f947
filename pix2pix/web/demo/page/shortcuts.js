// Keyboard shortcuts: each presses the button with that aria-keyshortcuts, so that every action has a button.

const WORDS = { "[": "smaller", "]": "larger" };

export function shortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input:not([type=range]), select, textarea") || document.querySelector("dialog[open]")) return;
    if (event.altKey) return;
    const word = WORDS[event.key];
    const button = word ? null : pressed(event);
    if (!word && !button) return;
    event.preventDefault();
    if (word) resize(word === "larger" ? 1 : -1);
    else if (!button.disabled && !button.hidden) button.click();
  });
}

function pressed(event) {
  const control = event.ctrlKey || event.metaKey ? "Control+" : "";
  const shift = event.shiftKey && control ? "Shift+" : "";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return [...document.querySelectorAll("[aria-keyshortcuts]")].find((button) =>
    button.getAttribute("aria-keyshortcuts").toLowerCase().split(" ").includes(`${control}${shift}${key}`.toLowerCase()));
}

function resize(step) {
  const size = document.getElementById("size");
  size.value = Number(size.value) + step;
  size.dispatchEvent(new Event("input"));
}
