// Texts that models wrote, and what tells them apart.

KINDS.samples = (root, view, say) => {
  const all = view.samples;
  const names = [...new Set(all.flatMap(Object.keys))].filter((name) => name !== "text" && name !== "prompt");
  const levels = Object.fromEntries(names.map((name) => [name, [...new Set(all.map((sample) => sample[name]))]]));
  const open = names.filter((name) => levels[name].length > 1);
  const chosen = Object.fromEntries(open.map((name) => [name, levels[name].at(-1)]));
  const box = make("pre", { class: "ex-text", tabIndex: 0, "aria-label": "Sample" });
  const fields = make("div", { class: "ex-fields" });
  const told = (value) => (typeof value === "number" ? whole.format(value) : String(value ?? "none"));

  function paint() {
    const found = all.filter((sample) => open.every((name) => sample[name] === chosen[name]));
    box.replaceChildren();
    for (const [n, sample] of found.entries()) {
      if (n) box.append(make("hr"));
      box.append(...(sample.prompt ? [make("b", {}, sample.prompt)] : []), sample.text);
    }
    const where = names.map((name) => `${words(name)} ${told(found[0]?.[name] ?? chosen[name])}`).join(", ");
    const count = found.length === 1 ? "one sample" : `${found.length} samples`;
    say(`${where ? `At ${where}: ` : ""}${found.length ? count : "no sample"}.`);
  }

  const sliders = [];
  for (const name of open) {
    const texts = levels[name].map(told);
    const choose = (n) => { chosen[name] = levels[name][n]; paint(); };
    const many = levels[name].length > 2 && levels[name].every((level) => typeof level === "number");
    if (many) sliders.push(slider(words(name), texts, texts.length - 1, choose, say.quiet).element);
    else fields.append(choice(words(name), texts, texts.length - 1, choose).element);
  }
  if (fields.children.length) root.append(fields);
  root.append(...sliders, box, say.element);
  paint();
};
