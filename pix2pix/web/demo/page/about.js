// What is said of each run, and for several of them which translate.

import { make } from "./results.js";

export function fillAbout(place, runs, results) {
  const numbers = runs.map((_, number) => number);
  const button = (text, chosen) => {
    const made = make("button", { type: "button", className: "chip", textContent: text });
    made.addEventListener("click", () => results.choose(chosen));
    return made;
  };
  if (runs.length > 1) place.append(make("p", { className: "choices" }, "Translate with ", button("All", numbers), button("None", [])));
  place.append(...runs.map(({ name, about }, number) => {
    const lines = Object.entries(about).flatMap(([title, text]) => [make("dt", { textContent: title }), make("dd", { textContent: text })]);
    const head = make("h3", { textContent: name }, ...(runs.length > 1 ? [" ", button("Only this", [number])] : []));
    return make("section", {}, head, make("dl", {}, ...lines));
  }));
}
