// What the model would say if it stopped at a layer.

KINDS.logit_lens = (root, view, say) => {
  const fields = make("div", { class: "ex-fields" });
  const scroll = make("div", { class: "ex-scroll" });
  const guesses = make("ol", { class: "ex-guesses", "aria-hidden": "true" });
  const colours = legend([0, 25, 50, 75, 100], (share) => share);
  let text, cells;
  const nameOf = (n) => text.layers[n].name || (n === 0 ? "embedding" : `layer ${n}${n === text.layers.length - 1 ? " (output)" : ""}`);

  function rowHead(n) {
    const known = text.layers[n].loss.filter((loss) => loss !== null);
    const mean = known.length ? `${(known.reduce((sum, loss) => sum + loss, 0) / known.length).toFixed(2)} nats` : "";
    return make("th", { scope: "row" }, nameOf(n), make("small", {}, mean));
  }

  function fill(n) {
    text = view.texts[n];
    const body = text.layers.map((layer, depth) => make("tr", {}, rowHead(depth), ...layer.top.map(([[guess]], at) => {
      const button = make("button", { type: "button" }, marked(guess));
      button.classList.toggle("ex-right", guess === text.tokens[at + 1]);
      return make("td", {}, button);
    })));
    const head = make("tr", {}, make("th", {}, "token", make("small", {}, "mean loss")), ...text.tokens.map((token) => make("th", { scope: "col" }, marked(token))));
    scroll.replaceChildren(make("table", { "aria-label": "Likeliest next token by layer and token" }, make("thead", {}, head), make("tbody", {}, ...body)));
    cells = roving(scroll, text.tokens.length, choose);
    cells.buttons.forEach((button, place) => button.addEventListener("mouseenter", () => choose(place)));
    repaint();
    choose((text.layers.length - 1) * text.tokens.length);
  }

  function choose(place) {
    const [depth, at] = [Math.floor(place / text.tokens.length), place % text.tokens.length];
    const { top, loss } = text.layers[depth];
    cells.mark(place);
    cells.buttons.forEach((button, n) => button.classList.toggle("ex-chosen", n === place));
    guesses.replaceChildren(...top[at].map(([guess, share]) => {
      const bar = make("span", { class: "ex-share" });
      bar.style.setProperty("--share", share);
      return make("li", {}, make("code", {}, marked(guess)), bar, make("span", {}, percent(share)));
    }));
    const next = text.tokens[at + 1];
    const goesOn = next === undefined ? "" : ` The text continues with ${quoted(next)}`;
    const cost = loss[at] === null || loss[at] === undefined ? "" : `, which costs ${number(loss[at])} nats`;
    say(`After ${quoted(text.tokens[at])} (token ${at + 1}), read at ${nameOf(depth)}: ${listed(top[at].map(([guess, share]) => `${quoted(guess)} (${percent(share)})`))}.${goesOn}${goesOn && `${cost}.`}`);
  }

  function repaint() {
    colours.paint();
    cells?.buttons.forEach((button, place) => {
      const [[, share]] = text.layers[Math.floor(place / text.tokens.length)].top[place % text.tokens.length];
      heat(button, evenly(share));
    });
  }

  if (view.texts.length > 1) {
    fields.append(choice("Text", beginnings(view.texts), 0, fill).element);
    root.append(fields);
  }
  root.append(
    make("p", { class: "ex-hint" }, "Each cell shows the likeliest next token if the model stopped there; a bar below it marks a right guess."),
    scroll, guesses, say.element, colours.element);
  fill(0);
  repaints.add(repaint);
};
