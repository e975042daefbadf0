// Lines over steps or layers.

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(Number((n * step).toPrecision(10)));
  return found;
}

function powers(low, high) {
  const decades = [];
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power++) decades.push(10 ** power);
  return decades.length > 1 ? decades : ticks(low, high, 4).filter((value) => value > 0);
}

// The ends of an axis; a level line is seen from zero.
function ends(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low < high) return [low, high];
  return low < 0 ? [2 * low, 0] : [0, 2 * low || 1];
}

// Lines in an svg; `lines` have points, a class and perhaps dots, `mark` is where the reader stands.
function plot(svg, { name, lines, xTicks, xName, height = 200, log = false, mark = null }) {
  const width = svg.parentElement.clientWidth;
  if (!width) return null;
  const points = lines.flatMap((line) => line.points);
  const scale = log ? Math.log10 : (value) => value;
  const [left, right, top, bottom] = [50, 12, 8, xName ? 38 : 22];
  const [xLow, xHigh] = [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
  const heights = points.map(([, y]) => y);
  const [low, high] = log ? [Math.min(...heights), Math.max(...heights)] : ends(heights);
  const x = (value) => left + ((value - xLow) / (xHigh - xLow || 1)) * (width - left - right);
  const y = (value) => top + ((scale(high) - scale(value)) / (scale(high) - scale(low) || 1)) * (height - top - bottom);
  const text = (content, attributes) => draw("text", attributes, content);
  svg.replaceChildren(draw("title", {}, name));
  for (const [attribute, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, role: "img", class: "ex-plot" })) svg.setAttribute(attribute, value);
  for (const value of log ? powers(low, high) : ticks(low, high, 4)) {
    svg.append(draw("line", { class: "ex-grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    svg.append(text(number(value), { x: left - 6, y: y(value) + 4, "text-anchor": "end" }));
  }
  const below = xTicks ?? ticks(xLow, xHigh, Math.max(2, width / 110)).map((value) => [value, number(value)]);
  for (const [value, label] of below) svg.append(text(label, { x: x(value), y: height - bottom + 16, "text-anchor": "middle" }));
  if (xName) svg.append(text(xName, { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }));
  if (mark !== null) svg.append(draw("line", { class: "ex-here", x1: x(mark), x2: x(mark), y1: top, y2: height - bottom }));
  for (const line of lines) {
    svg.append(draw("polyline", { class: line.class, points: line.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ") }));
    for (const [px, py] of line.dots ?? []) svg.append(draw("circle", { class: line.class, cx: x(px), cy: y(py), r: 4 }));
  }
  return (pixel) => xLow + ((pixel - left) / (width - left - right)) * (xHigh - xLow);
}
