"use strict";
// The enlarged view of all pages: any two pictures of an input over each other, side by side, or their difference.
//
// viewer.open({rows, row, left, right, at}): rows are inputs, {name, pictures}; a picture is {name, source}, or
// {name, frames: [{at, source}]} with a frame for each epoch `at`. left and right are numbers of pictures.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const viewer = (() => {
  const MODES = [["slide", "Slide", "L"], ["side", "Side by side", "S"], ["difference", "Difference ×4", "D"], ["blink", "Blink", "B"]];
  const MAX_ZOOM = 32, BLINK_MS = 600, GRIP = 28; // pixels beside the divider in which a drag moves it
  const view = { rows: [], row: 0, left: 0, right: 1, mode: "slide", cut: 50, zoom: 1, x: 0, y: 0, at: Infinity };
  const pointers = new Map();
  let parts = null, blinking = 0;

  function build() {
    const button = (text, label, action, key) => {
      const made = make("button", { type: "button", textContent: text, title: key ? `${label} (${key})` : label, onclick: action });
      if (made.textContent.length < 3) made.setAttribute("aria-label", label);
      return made;
    };
    const images = [make("img", { alt: "" }), make("img", { alt: "" })];
    const panes = make("div", { className: "viewer-panes" }, ...images.map((image) => make("div", { className: "viewer-pane" }, image)));
    const names = ["left", "right"].map((side) => make("span", { className: `viewer-name ${side}` }));
    const stage = make("div", { className: "viewer-stage", tabIndex: 0 }, panes, make("i", { className: "viewer-cut" }), ...names);
    stage.setAttribute("role", "group");
    const modes = MODES.map(([mode, text, key]) => Object.assign(button(text, text, () => setMode(mode), key), { value: mode }));
    const sides = ["left", "right"].map((side) => make("select", { ariaLabel: `${side} picture`, onchange: (event) => { view[side] = Number(event.target.value); draw(); } }));
    const cut = make("input", { type: "range", min: 0, max: 100, step: .5, ariaLabel: "Position of the divider between the left and the right picture", oninput: () => { view.cut = Number(cut.value); place(); } });
    const epoch = make("input", { type: "range", min: 0, step: 1, ariaLabel: "Epoch", oninput: () => { view.at = moments()[epoch.value]; draw(); } });
    const epochText = make("output"), zoomText = make("output");
    const epochs = make("label", { className: "slider" }, "Epoch", epoch, epochText);
    const title = make("strong", { className: "viewer-title", id: "viewer-title" });
    const close = button("✕", "Close", () => dialog.close(), "Esc");
    const turn = [button("‹", "Previous input", () => step(-1), "←"), button("›", "Next input", () => step(1), "→")];
    const zoom = make("div", { className: "group" }, button("−", "Smaller", () => zoomBy(.5), "-"), zoomText, button("+", "Larger", () => zoomBy(2), "+"));
    const dialog = make("dialog", { className: "viewer" }, make("div", { className: "viewer-body" },
      make("div", { className: "bar" }, ...turn, title, make("div", { className: "group" }, ...modes), zoom, make("span", { className: "end" }, close)),
      make("div", { className: "viewer-room" }, stage),
      make("div", { className: "bar" }, sides[0], make("span", { className: "slider" }, cut), sides[1], epochs),
      make("p", { className: "keys quiet", textContent: "Drag the divider, or the picture when it is enlarged. ← → other input · Shift ← → divider · ↑ ↓ epoch · wheel, + and − zoom · L slide · S side by side · D difference · B blink · Esc closes" })));
    dialog.setAttribute("aria-labelledby", "viewer-title");
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }); // outside of its content
    dialog.addEventListener("close", () => clearInterval(blinking));
    dialog.addEventListener("keydown", press);
    stage.addEventListener("pointerdown", grip);
    stage.addEventListener("pointermove", drag);
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
    stage.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(event.deltaY < 0 ? 1.25 : .8, event); }, { passive: false });
    stage.addEventListener("dblclick", (event) => view.zoom > 1 ? reset() : zoomBy(4, event));
    for (const image of images) image.addEventListener("load", fit);
    document.body.append(dialog);
    parts = { dialog, stage, images, names, modes, sides, cut, epoch, epochText, epochs, zoomText, title, turn };
    new ResizeObserver(place).observe(stage);
  }

  const pictures = () => view.rows[view.row].pictures;
  const chosen = () => [pictures()[view.left], pictures()[view.right]];
  // All epochs of which one of the two pictures has a frame.
  const moments = () => [...new Set(chosen().flatMap((picture) => (picture.frames ?? []).map((frame) => frame.at)))].sort((a, b) => a - b);
  const frameAt = (frames) => frames.filter((frame) => frame.at <= view.at).at(-1) ?? frames[0];
  const sourceOf = (picture) => picture.frames?.length ? frameAt(picture.frames).source : picture.source ?? "";

  function open({ rows, row = 0, left = 0, right, at = Infinity }) {
    if (!parts) build();
    const last = rows[row].pictures.length - 1;
    Object.assign(view, { rows, row, left, right: right ?? (left === last ? 0 : last), at, cut: 50 });
    parts.dialog.showModal(); parts.stage.focus({ preventScroll: true });
    reset(); setMode(view.mode);
  }

  function setMode(mode) {
    view.mode = mode; clearInterval(blinking); delete parts.stage.dataset.hidden;
    if (mode === "blink") {
      const swap = () => parts.stage.dataset.hidden = parts.stage.dataset.hidden === "right" ? "left" : "right";
      swap(); blinking = setInterval(swap, BLINK_MS);
    }
    for (const button of parts.modes) button.setAttribute("aria-pressed", button.value === mode);
    draw();
  }

  function draw() {
    const both = chosen(), epochs = moments();
    if (!epochs.includes(view.at)) view.at = epochs.filter((each) => each <= view.at).at(-1) ?? epochs[0] ?? Infinity;
    parts.stage.dataset.mode = view.mode; parts.title.textContent = view.rows[view.row].name;
    both.forEach((picture, side) => {
      parts.images[side].src = sourceOf(picture); parts.images[side].hidden = !sourceOf(picture); parts.images[side].alt = picture.name;
      parts.names[side].textContent = picture.frames?.length ? `${picture.name}, epoch ${frameAt(picture.frames).at}` : picture.name;
      parts.sides[side].replaceChildren(...pictures().map((each, value) => make("option", { value, textContent: each.name, disabled: !sourceOf(each) })));
      parts.sides[side].value = side ? view.right : view.left;
    });
    parts.stage.setAttribute("aria-label", `${both[0].name} and ${both[1].name}`);
    parts.epochs.hidden = epochs.length < 2; parts.epoch.max = epochs.length - 1; parts.epoch.value = epochs.indexOf(view.at);
    parts.epochText.textContent = epochs.length ? `${view.at} of ${epochs.at(-1)}` : "";
    for (const button of parts.turn) button.hidden = view.rows.length < 2;
    parts.cut.parentElement.style.visibility = view.mode === "slide" ? "" : "hidden";
    fit();
  }

  function fit() { // the shape of the stage is that of the picture
    const image = parts.images.find((each) => each.naturalWidth);
    if (image) parts.stage.style.setProperty("--aspect", image.naturalWidth / image.naturalHeight);
    place();
  }

  const paneWidth = () => parts.stage.clientWidth / (view.mode === "side" ? 2 : 1);
  function place() {
    const clamp = (value, size) => Math.min(0, Math.max(value, size * (1 - view.zoom)));
    view.x = clamp(view.x, paneWidth()); view.y = clamp(view.y, parts.stage.clientHeight);
    const style = parts.stage.style;
    for (const [name, value] of [["--cut", `${view.cut}%`], ["--zoom", view.zoom], ["--x", `${view.x}px`], ["--y", `${view.y}px`]]) style.setProperty(name, value);
    parts.stage.toggleAttribute("data-zoomed", view.zoom > 1);
    parts.cut.value = view.cut; parts.zoomText.textContent = `${Math.round(view.zoom * 100)} %`;
    for (const image of parts.images) image.classList.toggle("crisp", image.naturalWidth * 1.5 < paneWidth() * view.zoom);
  }

  function reset() { Object.assign(view, { zoom: 1, x: 0, y: 0 }); place(); }
  function zoomBy(factor, point) {
    const box = parts.stage.getBoundingClientRect(), width = paneWidth();
    const x = point ? (point.clientX - box.left) % width : width / 2, y = point ? point.clientY - box.top : box.height / 2;
    const zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor)), change = zoom / view.zoom;
    Object.assign(view, { zoom, x: x - (x - view.x) * change, y: y - (y - view.y) * change }); // the point stays in place
    place();
  }

  function step(by) {
    view.row = (view.row + by + view.rows.length) % view.rows.length;
    const last = pictures().length - 1;
    view.left = Math.min(view.left, last); view.right = Math.min(view.right, last);
    draw();
  }
  function stepEpoch(by) {
    const epochs = moments(), at = epochs[Math.min(epochs.length - 1, Math.max(0, epochs.indexOf(view.at) + by))];
    if (at !== undefined) { view.at = at; draw(); }
  }
  function press(event) {
    const typing = event.target.matches("select") || (event.target.matches("input") && event.key.startsWith("Arrow"));
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key], along = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const mode = MODES.find(([, , key]) => key === event.key.toUpperCase());
    if (across && event.shiftKey) { view.cut = Math.min(100, Math.max(0, view.cut + 2 * across)); place(); }
    else if (across) step(across);
    else if (along) stepEpoch(along);
    else if (mode) setMode(mode[0]);
    else if ("+=".includes(event.key)) zoomBy(2);
    else if (event.key === "-") zoomBy(.5);
    else if (event.key === "0") reset();
    else return;
    event.preventDefault();
  }

  const cutTo = (event) => { const box = parts.stage.getBoundingClientRect(); view.cut = Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)); place(); };
  function grip(event) {
    const box = parts.stage.getBoundingClientRect(), beside = Math.abs(event.clientX - box.left - box.width * view.cut / 100);
    const cuts = view.mode === "slide" && (view.zoom === 1 || beside < GRIP);
    parts.stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, cuts });
    if (cuts && pointers.size === 1) cutTo(event);
  }
  function drag(event) {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = { ...before, x: event.clientX, y: event.clientY }, other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (other) {
      const distance = (point) => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      zoomBy(distance(now) / distance(before), { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
    } else if (before.cuts) cutTo(event);
    else { view.x += now.x - before.x; view.y += now.y - before.y; place(); }
  }

  return { open };
})();
