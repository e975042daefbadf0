// Runs that the reader moves, and the law through them, fitted anew at each move.

KINDS.scaling_law = (root, view, say) => {
  const start = view.runs.map(([size, loss]) => [size, loss]);
  let runs = start.map((run) => [...run]);
  let now = runs.length - 1;
  const svg = draw("svg", { style: "touch-action: none; cursor: ns-resize" });
  const chart = make("div", { class: "ex-panel" }, svg);
  const losses = start.map(([, loss]) => loss);
  const [lowest, highest] = [0.5 * Math.min(...losses), 1.3 * Math.max(...losses)];
  const input = make("input", { type: "range", min: lowest, max: highest, step: (highest - lowest) / 400 });
  const output = make("output");

  // the floor and the factor of one exponent with the least relative squares; no floor below 0
  function tried(exponent) {
    const falls = runs.map(([size]) => (size / runs[0][0]) ** -exponent);
    const sum = (term) => runs.reduce((total, [, loss], n) => total + term(1 / loss, falls[n] / loss), 0);
    const [uu, uv, vv, u, v] = [sum((a) => a * a), sum((a, b) => a * b), sum((a, b) => b * b), sum((a) => a), sum((a, b) => b)];
    let floor = (u * vv - v * uv) / (uu * vv - uv * uv);
    let factor = (v * uu - u * uv) / (uu * vv - uv * uv);
    if (floor < 0) [floor, factor] = [0, v / vv];
    return { exponent, floor, factor, error: sum((a, b) => (floor * a + factor * b - 1) ** 2) };
  }

  function bare(exponent) {
    const falls = runs.map(([size]) => (size / runs[0][0]) ** -exponent);
    const sum = (power) => runs.reduce((total, [, loss], n) => total + (falls[n] / loss) ** power, 0);
    const factor = sum(1) / sum(2);
    return { exponent, error: runs.reduce((total, [, loss], n) => total + (factor * falls[n] / loss - 1) ** 2, 0) };
  }

  const exponents = Array.from({ length: 149 }, (_, n) => (n + 2) / 100);
  const best = (fit) => exponents.map(fit).reduce((one, other) => (other.error < one.error ? other : one));
  const miss = (error) => `${(100 * Math.sqrt(error / runs.length)).toFixed(1)} %`;
  const power = (value) => `10${[...String(Math.round(value))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit] ?? "⁻").join("")}`;

  function paint() {
    const law = best(tried);
    const alone = best(bare);
    const at = (x) => law.floor + law.factor * (10 ** x / runs[0][0]) ** -law.exponent;
    const points = runs.map(([size, loss]) => [Math.log10(size), loss]);
    const [left, right] = [points[0][0], points.at(-1)[0]];
    const line = Array.from({ length: 61 }, (_, n) => left + ((right - left) * n) / 60);
    plot(svg, {
      name: "Loss by size, and the law through the runs",
      lines: [{ class: "ex-first", points: line.map((x) => [x, at(x)]) }, { class: "ex-second", points, dots: points }],
      xTicks: ticks(left, right, 4).filter(Number.isInteger).map((value) => [value, power(value)]),
      xName: "size", mark: points[now][0], height: 250,
    });
    input.value = runs[now][1];
    output.textContent = number(runs[now][1]);
    input.setAttribute("aria-valuetext", output.textContent);
    say(`Floor ${law.floor.toFixed(2)}, exponent ${law.exponent.toFixed(2)}; the law misses the runs by ${miss(law.error)}. A law without a floor: exponent ${alone.exponent.toFixed(2)}, and it misses them by ${miss(alone.error)}.`);
  }

  function move(loss) {
    runs[now][1] = Math.min(highest, Math.max(lowest, loss));
    paint();
  }

  const pick = choice("Run", start.map(([size]) => `of size ${whole.format(Number(size.toPrecision(3)))}`), now, (n) => { now = n; paint(); });
  input.addEventListener("input", () => move(Number(input.value)));
  const again = make("button", { type: "button", class: "ex-play" }, "Reset");
  again.addEventListener("click", () => { runs = start.map((run) => [...run]); paint(); });

  let held = null;
  svg.addEventListener("pointerdown", (event) => {
    const box = svg.getBoundingClientRect();
    const place = (event.clientX - box.left - 50) / (box.width - 62);
    const [left, right] = [Math.log10(runs[0][0]), Math.log10(runs.at(-1)[0])];
    const gap = ([size]) => Math.abs((Math.log10(size) - left) / (right - left) - place);
    now = runs.indexOf(runs.reduce((near, run) => (gap(run) < gap(near) ? run : near)));
    pick.set(now);
    const shown = runs.map(([, loss]) => loss);
    held = { from: event.clientY, loss: runs[now][1], scale: (Math.max(...shown) - Math.min(...shown)) / (250 - 46) };
    svg.setPointerCapture(event.pointerId);
    paint();
  });
  svg.addEventListener("pointermove", (event) => { if (held) move(held.loss - (event.clientY - held.from) * held.scale); });
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => { held = null; });

  const key = make("p", { class: "ex-key" }, make("span", { class: "ex-first" }, "law"), make("span", { class: "ex-second" }, "runs"));
  const slide = make("div", { class: "ex-slider" }, again, make("label", { class: "ex-field" }, make("span", {}, "Its loss"), input), output);
  root.append(make("div", { class: "ex-fields" }, pick.element), slide, key, chart, say.element);
  paint();
  repaints.add(paint);
};
