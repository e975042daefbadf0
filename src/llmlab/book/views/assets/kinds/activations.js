// Statistics of the residual stream, layer by layer.

KINDS.activations = (root, view, say) => {
  const steps = view.checkpoints ?? [{ step: view.checkpoint, layers: view.layers }];
  const statistics = Object.keys(steps[0].layers[0]).filter((name) => name !== "name");
  const values = (step, name) => step.layers.map((layer) => layer[name]);
  const plots = statistics.map(() => draw("svg"));
  const panels = plots.map((svg, n) => make("div", { class: "ex-panel" }, make("strong", {}, words(statistics[n])), svg));
  const scroll = make("div", { class: "ex-scroll", tabIndex: 0 });
  let now = steps.length - 1;

  function paintPlot(svg, name) {
    const all = steps.flatMap((step) => values(step, name));
    const line = (step, className) => ({ class: className, points: values(step, name).map((value, n) => [n, value]) });
    const bold = line(steps[now], "ex-first");
    plot(svg, {
      name: `${words(name)} by layer`,
      lines: [...steps.filter((_, n) => n !== now).map((step) => line(step, "ex-other")), { ...bold, dots: bold.points }],
      xTicks: steps[now].layers.map((layer, n) => [n, numeral(layer.name)]).filter((_, n) => steps[now].layers.length < 9 || n % 2 === 0),
      xName: "layer",
      log: Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 50,
      height: 170,
    });
  }

  function row(layer) {
    return make("tr", {}, make("th", { scope: "row" }, layer.name), ...statistics.map((name) => make("td", {}, number(layer[name]))));
  }

  function paint() {
    plots.forEach((svg, n) => paintPlot(svg, statistics[n]));
    const { layers, step } = steps[now];
    const head = make("tr", {}, make("th", {}, "layer"), ...statistics.map((name) => make("th", { scope: "col" }, words(name))));
    scroll.replaceChildren(make("table", { class: "ex-numbers", "aria-label": "Statistics by layer" }, make("thead", {}, head), make("tbody", {}, ...layers.map(row))));
    const largest = statistics.slice(0, 4).map((name) => {
      const most = layers.reduce((best, layer) => (layer[name] > best[name] ? layer : best));
      return `${words(name)} in ${most.name} (${number(most[name])})`;
    });
    say(`${step === null || step === undefined ? "Largest" : `Step ${stepText(step)}, largest`}: ${listed(largest)}.`);
  }

  if (steps.length > 1) root.append(slider("Step", steps.map(({ step }) => stepText(step)), now, (n) => { now = n; paint(); }, say.quiet).element);
  root.append(make("div", { class: "ex-panels" }, ...panels), say.element, scroll);
  if (steps.length > 1) root.append(make("p", { class: "ex-hint" }, "Grey lines are the other steps."));
  paint();
  repaints.add(paint);
};
