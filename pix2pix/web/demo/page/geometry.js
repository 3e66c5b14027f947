// Places (x, y) on the canvas.

// The place near `to` that is level, upright or diagonal from `from`; only diagonal for the corner of a square.
export function straightened([x0, y0], [x1, y1], isSquare = false) {
  const [width, height] = [Math.abs(x1 - x0), Math.abs(y1 - y0)], tan = Math.tan(Math.PI / 8);
  if (!isSquare && height < tan * width) return [x1, y0];
  if (!isSquare && width < tan * height) return [x0, y1];
  const side = Math.min(width, height); // stays on the canvas
  return [x0 + Math.sign(x1 - x0) * side, y0 + Math.sign(y1 - y0) * side];
}

// The area with the corners `a` and `b`, both included.
export function area([x0, y0], [x1, y1]) {
  return { x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0) + 1, height: Math.abs(y1 - y0) + 1 };
}

export function isInside({ x, y, width, height }, [px, py]) {
  return px >= x && py >= y && px < x + width && py < y + height;
}
