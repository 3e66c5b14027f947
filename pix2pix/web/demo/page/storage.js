// What outlives a reload, kept by this browser for this address.

const SCOPE = `pix2pix ${location.pathname}`;

export function remember(name, value) {
  try {
    localStorage.setItem(`${SCOPE} ${name}`, JSON.stringify(value));
  } catch { /* storage is full or forbidden: the page works without */ }
}

// Null if nothing is kept.
export function recall(name) {
  try {
    return JSON.parse(localStorage.getItem(`${SCOPE} ${name}`));
  } catch {
    return null;
  }
}
