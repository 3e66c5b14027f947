// What the buttons of the page do.

import { card, download, fileName, hand } from "./card.js";
import { copy } from "./link.js";
import { hush, say } from "./messages.js";
import { recall, remember } from "./storage.js";
import { randomSeed } from "./variations.js";

const $ = (id) => document.getElementById(id);
const on = (id, act) => $(id).addEventListener("click", act);

export function connectButtons(page, setSeed) {
  const { drawing, history, tools, sources, results } = page;
  // A step during a stroke ends the stroke.
  on("undo", () => { tools.finish(); sources.camera.stop(); history.undo(); });
  on("redo", () => { tools.finish(); history.redo(); });
  for (const id of ["clear", "blank"]) on(id, () => sources.blank());
  on("upload", () => $("file").click());
  on("camera", () => sources.toggleCamera());
  on("keep", () => drawing.canvas.toBlob((blob) => download(blob, fileName(page.pageData.runs[0].data, "drawing"))));
  on("noise", () => { setSeed(page, randomSeed()); if (page.variations.isOn) page.variations.shuffle(); });
  for (const id of ["vary", "shelf-button"]) on(id, hush); // on small screens they open below the hint
  on("help", () => $("keys").showModal());
  on("info", () => $("about").showModal());
  $("seed").addEventListener("change", () => { if ($("seed").checkValidity() && $("seed").value) setSeed(page, Number($("seed").value)); else $("seed").value = drawing.seed; });
  $("file").addEventListener("change", () => { if ($("file").files.length) sources.file($("file").files[0]); $("file").value = ""; });
  on("shelf-button", () => openShelf(!document.body.classList.contains("shelf-open")));
  for (const id of ["blank", "keep", "camera", "upload"]) on(id, () => openShelf(false));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    if (tools.cancel()) return;
    tools.copier.mark(null);
    results.enlarge(null);
    openShelf(false);
  });
  connectTheme();
}

// On small screens the pictures to start from lie over the palette.
function openShelf(isOpen) {
  document.body.classList.toggle("shelf-open", isOpen);
  $("shelf-button").setAttribute("aria-expanded", String(isOpen));
}

function connectTheme() {
  const root = document.documentElement, kept = recall("theme");
  if (kept) root.dataset.theme = kept;
  on("theme", () => {
    const isDark = root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = isDark ? "light" : "dark";
    remember("theme", root.dataset.theme);
  });
}

export function connectSharing(page) {
  const { drawing, results, link, pageData: { runs, canvas } } = page;
  on("link", async () => {
    try {
      const { text, isWhole } = await link.hash();
      history.replaceState(null, "", `#${text}`);
      await copy(location.href);
      const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
      const whole = isWhole ? "Link copied." : "Link copied. It holds the seed and the runs; your own picture stays on this machine.";
      say(isLocal ? `${whole} It works on this machine while the demo runs.` : whole);
    } catch (error) {
      say(`The link cannot be copied: ${error.message}.`, true);
    }
  });
  on("save", () => {
    const chosen = results.chosen().map((number) => results.cells[number]), names = chosen.map(({ run }) => run.name);
    const pictures = [{ picture: drawing.canvas, name: "drawing", isCrisp: canvas.kind !== "photo" }];
    pictures.push(...chosen.map(({ output, run }) => ({ picture: output, name: run.name, isCrisp: false })));
    const seed = runs.some((run) => run.noise) ? `seed ${drawing.seed} · ` : "";
    const foot = `${seed}${canvas.width} × ${canvas.height} pixels · made with pix2pix`;
    hand(card({ title: $("subject").textContent, foot, pictures }), fileName(runs[0].data, names[0] ?? "", drawing.seed));
  });
  addEventListener("hashchange", async () => {
    try {
      const given = await link.read(location.hash);
      if (given?.runs) results.choose(given.runs);
      if (given?.state) page.history.go(given.state);
    } catch (error) {
      say(`The link cannot be read: ${error.message}.`, true);
    }
  });
}
