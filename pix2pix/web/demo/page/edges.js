// Edges of a picture by Canny (1986), black on white, for models of drawn lines: as strong as the picture has them.

export function edges(image, low = 0.12, high = 0.3) {
  const { width, height } = image, grey = blurred(luma(image), width, height);
  const strength = new Float32Array(width * height), vertical = new Uint8Array(width * height);
  let strongest = 1;
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x, up = i - width, down = i + width;
      const gx = grey[up + 1] + 2 * grey[i + 1] + grey[down + 1] - grey[up - 1] - 2 * grey[i - 1] - grey[down - 1];
      const gy = grey[down - 1] + 2 * grey[down] + grey[down + 1] - grey[up - 1] - 2 * grey[up] - grey[up + 1];
      strength[i] = Math.hypot(gx, gy);
      vertical[i] = Math.abs(gx) > Math.abs(gy) ? 1 : 0; // vertical edge: thin it horizontally
      strongest = Math.max(strongest, strength[i]);
    }
  }
  return drawn(followed(thinned(strength, vertical, width), width, low * strongest, high * strongest), width, height);
}

export function luma({ data }) {
  const grey = new Float32Array(data.length / 4);
  for (let i = 0; i < grey.length; i++) grey[i] = 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2];
  return grey;
}

// Binomial filter 1 4 6 4 1 along rows and columns: a Gaussian of one pixel.
function blurred(grey, width, height) {
  const along = (from, step, limit, index) => {
    const to = new Float32Array(from.length);
    for (let i = 0; i < from.length; i++) {
      const at = index(i), pick = (d) => from[i + Math.max(-at, Math.min(limit - 1 - at, d)) * step];
      to[i] = (pick(-2) + 4 * pick(-1) + 6 * from[i] + 4 * pick(1) + pick(2)) / 16;
    }
    return to;
  };
  return along(along(grey, 1, width, (i) => i % width), width, height, (i) => Math.floor(i / width));
}

function thinned(strength, vertical, width) {
  return strength.map((value, i) => {
    const step = vertical[i] ? 1 : width;
    return value >= (strength[i - step] ?? 0) && value > (strength[i + step] ?? 0) ? value : 0;
  });
}

// Hysteresis: weak edges count if they touch strong ones.
function followed(strength, width, low, high) {
  const kept = new Uint8Array(strength.length), waiting = [];
  strength.forEach((value, i) => { if (value >= high) { kept[i] = 1; waiting.push(i); } });
  while (waiting.length) {
    const i = waiting.pop();
    for (const step of [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1]) {
      if (!kept[i + step] && strength[i + step] >= low) { kept[i + step] = 1; waiting.push(i + step); }
    }
  }
  return kept;
}

function drawn(kept, width, height) {
  const image = new ImageData(width, height);
  kept.forEach((ink, i) => image.data.set(ink ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * i));
  return image;
}

// Whether a picture is a line drawing: mostly white.
export function isLineDrawing({ data }) {
  let white = 0;
  for (let i = 0; i < data.length; i += 4) if (Math.min(data[i], data[i + 1], data[i + 2]) > 230) white++;
  return white * 8 > data.length; // more than half
}
