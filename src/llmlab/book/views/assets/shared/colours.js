// Colours, from the ground to ink, for a byte as its square root, so that small shares show.

const HEAT = Array(256); // of each byte the colour as text, what is read on it, the colour as bytes
const INK = {};
const repaints = new Set();

function mixColours() {
  const probe = make("span", { class: "explorer", hidden: true });
  document.body.append(probe);
  function resolved(name) {
    probe.style.color = `var(--ex-${name})`;
    return getComputedStyle(probe).color;
  }
  const stops = [0, 1, 2].map((n) => resolved(`heat-${n}`).match(/[\d.]+/g).slice(0, 3).map(Number));
  for (const name of ["mark", "label", "frame"]) INK[name] = resolved(name);
  probe.remove();
  for (let n = 0; n < 256; n++) {
    const place = Math.sqrt(n / 255) * 2;
    const low = Math.min(1, Math.floor(place));
    const colour = stops[low].map((channel, c) => Math.round(channel + (stops[low + 1][c] - channel) * (place - low)));
    const light = colour.map((channel) => (channel / 255 <= 0.04045 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4));
    const luminance = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2];
    HEAT[n] = [`rgb(${colour})`, luminance > 0.179 ? "#000" : "#fff", [...colour, 255]];
  }
}

function heat(element, byte) {
  [element.style.background, element.style.color] = HEAT[byte];
}

const evenly = (share) => Math.round(255 * share ** 2); // the byte whose colour lies at the share

function legend(values = [0, 5, 25, 50, 100], place = Math.sqrt) {
  const ticks = values.map((value) => {
    const tick = make("span", {}, `${value} %`);
    tick.style.left = `${place(value / 100) * 100}%`;
    return tick;
  });
  const bar = make("div", { class: "ex-bar" });
  const paint = () => { bar.style.background = `linear-gradient(to right, ${[0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => HEAT[evenly(n / 8)][0]).join(",")})`; };
  return { element: make("div", { class: "ex-legend", "aria-hidden": "true" }, bar, make("div", { class: "ex-ticks" }, ...ticks)), paint };
}
