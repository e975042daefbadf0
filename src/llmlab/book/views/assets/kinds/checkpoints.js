// A model while it learns: its losses, what it attends to and what it writes.

KINDS.checkpoints = (root, view, say) => {
  const { steps, curve } = view;
  const svg = draw("svg");
  const chart = make("div", { class: "ex-panel" }, svg);
  const sample = make("pre", { class: "ex-text", tabIndex: 0, "aria-label": "Sample" });
  const sampleBox = make("div", {}, make("strong", {}, "What the model writes at this step"), sample);
  const panelSay = speaker();
  const panel = attentionPanel({}, [0, 0], panelSay);
  const names = Object.keys(curve).filter((name) => curve[name].length);
  const classes = { train: "ex-first", validation: "ex-second" };
  let now = steps.length - 1;
  let stepAt = null;

  const losses = ({ train_loss: train, validation_loss: validation }) => [[train, "training loss"], [validation, "validation loss"]]
    .filter(([loss]) => loss !== null && loss !== undefined).map(([loss, name]) => `${name} ${number(loss)} nats`);

  function paint() {
    const { step } = steps[now];
    const at = (name) => curve[name].reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
    stepAt = names.length ? plot(svg, {
      name: `Loss by step: ${names.join(" and ")}`,
      lines: names.map((name) => ({ class: classes[name] ?? "ex-other", points: curve[name], dots: [at(name)] })),
      xName: "step", mark: step, height: 210,
    }) : null;
    const found = losses(steps[now]);
    say(`Step ${stepText(step)}${found.length ? `: ${listed(found)}` : ""}.`);
  }

  function show(n) {
    now = n;
    const { sample: written, attention: looked } = steps[n];
    sampleBox.hidden = written === null || written === undefined;
    sample.textContent = written ?? "";
    panel.element.hidden = !looked;
    paint();
    if (looked) panel.show(looked);
  }

  const quiet = (on) => { say.quiet(on); panelSay.quiet(on); };
  const slide = slider("Step", steps.map(({ step }) => stepText(step)), now, show, quiet);
  svg.addEventListener("click", (event) => {
    if (!stepAt) return;
    const wanted = stepAt(event.clientX - svg.getBoundingClientRect().left);
    const distance = ({ step }) => Math.abs(step - wanted);
    slide.set(steps.indexOf(steps.reduce((best, step) => (distance(step) < distance(best) ? step : best))));
  });
  const key = make("p", { class: "ex-key" }, ...names.map((name) => make("span", { class: classes[name] ?? "ex-other" }, `${words(name === "train" ? "training" : name)} loss`)));
  root.append(slide.element);
  if (names.length) root.append(key, chart);
  root.append(say.element, sampleBox, panel.element);
  show(now);
  repaints.add(paint);
};
