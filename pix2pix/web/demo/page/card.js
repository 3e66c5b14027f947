// A picture card for showing around: drawing and translations with their names, 1080 pixels wide.

const WIDTH = 1080, MARGIN = 48, GAP = 24, HEAD = 96, CAPTION = 44, FOOT = 72;
const INK = "#1f2026", QUIET = "#62636b", GROUND = "#f3f1ec", FONT = "system-ui, sans-serif";

// `pictures` are {picture, name, isCrisp}; label maps are enlarged without blending.
export function card({ title, foot, pictures }) {
  const [{ picture: { width, height } }] = pictures, aspect = width / height;
  const columns = pictures.length === 2 && aspect > 1.7 ? 1 : pictures.length <= 4 ? 2 : pictures.length <= 9 ? 3 : 4;
  const side = Math.floor((WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns), tall = Math.round(side / aspect);
  const rows = Math.ceil(pictures.length / columns), row = tall + CAPTION;
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEAD + rows * row + (rows - 1) * (GAP / 2) + FOOT });
  const context = canvas.getContext("2d");
  context.fillStyle = GROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  write(context, title, MARGIN, HEAD / 2 + 6, { size: 34, weight: 680, width: WIDTH - 2 * MARGIN });
  pictures.forEach(({ picture, name, isCrisp }, i) => {
    const x = MARGIN + (i % columns) * (side + GAP), y = HEAD + Math.floor(i / columns) * (row + GAP / 2);
    context.save();
    context.beginPath();
    context.roundRect(x, y, side, tall, 12);
    context.clip();
    context.imageSmoothingEnabled = !isCrisp;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, x, y, side, tall);
    context.restore();
    write(context, name, x, y + tall + CAPTION / 2, { size: 22, width: side });
  });
  write(context, foot, MARGIN, canvas.height - FOOT / 2, { size: 20, colour: QUIET, width: WIDTH - 2 * MARGIN });
  return canvas;
}

// One line of text, with an ellipsis where it would be too wide.
function write(context, text, x, y, { size, width, weight = 450, colour = INK }) {
  Object.assign(context, { font: `${weight} ${size}px ${FONT}`, fillStyle: colour, textBaseline: "middle" });
  let shown = text;
  while (shown.length > 1 && context.measureText(shown).width > width) shown = `${shown.slice(0, -2).trimEnd()}…`;
  context.fillText(shown, x, y);
}

// Offers the picture to other programs on phones, and downloads it elsewhere.
export async function hand(canvas, name) {
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve); });
  const file = new File([blob], name, { type: "image/png" });
  if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({ files: [file] })) {
    return navigator.share({ files: [file] }).catch(() => {}); // who closes the choice wants nothing
  }
  return download(blob, name);
}

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const fileName = (...words) => `${words.join("-").replaceAll(/[^\w.=-]+/g, "_")}.png`;
