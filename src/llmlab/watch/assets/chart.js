// One figure: several series over one axis, drawn by uPlot.

const probe = document.createElement("span");

// what a custom property such as light-dark(…) comes to, as a canvas wants it
function colour(name) {
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export const short = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return `${+(value / 1e9).toPrecision(3)}G`;
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  if (size && size < 1e-3) return value.toExponential(1);
  return `${+value.toPrecision(4)}`;
};

export const clock = (seconds) => {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (part) => String(part).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

export class Chart {
  // series: [{ label, x, y, colour, width, alpha, points }]
  constructor(title, height) {
    this.figure = document.createElement("figure");
    this.caption = document.createElement("figcaption");
    this.caption.textContent = title;
    this.place = document.createElement("div");
    this.place.setAttribute("role", "img");
    this.figure.append(this.caption, this.place);
    this.height = height;
    this.shape = "";
    new ResizeObserver(() => this.#resize()).observe(this.figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.shape = ""));
  }

  draw(series, { isLog = false, isTime = false, marks = [], summary = "" } = {}) {
    this.marks = marks;
    this.place.setAttribute("aria-label", `${this.caption.textContent}. ${summary}`);
    const shape = JSON.stringify([series.map(({ x, y, ...look }) => look), isLog, isTime]);
    const data = series.length
      ? uPlot.join(series.map(({ x, y }) => [x, y]))
      : [[], []];
    if (shape !== this.shape) this.#make(series, isLog, isTime, data);
    else this.plot.setData(data);
    this.shape = shape;
  }

  #make(series, isLog, isTime, data) {
    this.plot?.destroy();
    const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule") } };
    const options = {
      width: this.#width(),
      height: this.height,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => (isTime ? clock(tick) : short(tick))) },
        { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : short(tick))) },
      ],
      series: [
        {},
        ...series.map((one) => ({
          label: one.label,
          stroke: one.colour,
          width: one.width ?? 2,
          alpha: one.alpha ?? 1,
          dash: one.dash,
          spanGaps: true,
          points: { show: one.points ?? false, size: 6 },
        })),
      ],
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
    };
    this.plot = new uPlot(options, data, this.place);
  }

  // alarms, saves and what was steered, as lines of their own colour
  #drawMarks(plot) {
    const { ctx, bbox } = plot;
    for (const { x, name } of this.marks) {
      const at = Math.round(plot.valToPos(x, "x", true)) + 0.5;
      if (at < bbox.left || at > bbox.left + bbox.width) continue;
      ctx.save();
      ctx.strokeStyle = colour(name);
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
      ctx.restore();
    }
  }

  #width() {
    return Math.max(240, Math.floor(this.figure.clientWidth));
  }

  #resize() {
    if (this.plot && this.plot.width !== this.#width()) {
      this.plot.setSize({ width: this.#width(), height: this.height });
    }
  }
}
