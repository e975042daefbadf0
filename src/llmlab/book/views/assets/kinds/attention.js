// What the heads of a model attend to.

KINDS.attention = (root, view, say) => {
  const texts = [...new Set(view.texts.map((text) => text.tokens.join("\0")))]
    .map((joined) => view.texts.filter((text) => text.tokens.join("\0") === joined));
  const scores = Object.fromEntries(Object.entries(view.scores ?? {}).filter(([, table]) => table));
  const panel = attentionPanel(scores, view.start ?? [0, 0], say);
  const fields = make("div", { class: "ex-fields" });
  const atCheckpoint = make("div");
  function chooseText(n) {
    const found = texts[n];
    const last = found.length - 1;
    atCheckpoint.replaceChildren();
    if (last > 0) atCheckpoint.append(slider("Step", found.map((text) => stepText(text.checkpoint)), last, (at) => panel.show(found[at]), say.quiet).element);
    panel.show(found[last]);
  }
  if (texts.length > 1) {
    fields.append(choice("Text", beginnings(texts.map(([text]) => text)), 0, chooseText).element);
    root.append(fields);
  }
  root.append(atCheckpoint, panel.element);
  chooseText(0);
};
