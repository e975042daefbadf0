// Widgets that look inside a model: attention, logit lens, activations, checkpoints, samples.
// Each stands in a div.explorer as JSON and takes the place of the still picture before it.
"use strict";

(() => {
  // ---- elements
  function make(name, properties = {}, ...children) {
    const { class: className, ...rest } = properties;
    const element = document.createElement(name);
    if (className) element.className = className;
    for (const [key, value] of Object.entries(rest)) {
      if (key in element && !key.startsWith("aria-")) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  function draw(name, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function choice(label, options, chosen, onChange) {
    const select = make("select", {}, ...options.map((text) => make("option", {}, text)));
    select.selectedIndex = chosen;
    select.addEventListener("change", () => onChange(select.selectedIndex));
    const element = make("label", { class: "ex-field" }, make("span", {}, label), select);
    return { element, set: (index) => { select.selectedIndex = index; } };
  }

  // A slider over a list, with a button that plays through it; `quiet` says when it plays.
  function slider(label, texts, chosen, onChange, quiet = () => {}) {
    const input = make("input", { type: "range", min: 0, max: texts.length - 1, step: 1, value: chosen });
    const output = make("output");
    const button = make("button", { type: "button", class: "ex-play" });
    const element = make("div", { class: "ex-slider" }, button, make("label", { class: "ex-field" }, make("span", {}, label), input), output);
    let timer = 0;
    function show() {
      input.setAttribute("aria-valuetext", texts[input.value]);
      output.textContent = texts[input.value];
    }
    function set(index) {
      input.value = index;
      show();
      onChange(Number(input.value));
    }
    function play(on) {
      clearInterval(timer);
      timer = on ? setInterval(() => (Number(input.value) < texts.length - 1 ? set(Number(input.value) + 1) : play(false)), 900) : 0;
      button.textContent = on ? "Pause" : "Play";
      quiet(on);
    }
    button.addEventListener("click", () => {
      const on = !timer;
      if (on && Number(input.value) === texts.length - 1) set(0);
      play(on);
    });
    input.addEventListener("input", () => { play(false); set(input.value); });
    play(false);
    show();
    return { element, set };
  }

  // ---- words
  const whole = new Intl.NumberFormat("en");
  const shown = (token) => token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll("\r", "␍") || "∅";
  const quoted = (token) => `“${shown(token).replaceAll(" ", token.trim() ? "\u00a0" : "·")}”`;
  const marked = (token) => shown(token).replace(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
  const percent = (share) => (share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`);
  const number = (value) => (value === null || value === undefined ? "–" : Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(3))));
  const SPELLED = { std: "standard deviation", max: "largest absolute value", mlp: "MLP:" };
  const words = (name) => name.split("_").map((part) => SPELLED[part] ?? part).join(" ");
  const numeral = (name) => name.match(/\d+$/)?.[0] ?? `${name.slice(0, 3)}.`;
  const listed = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);
  const beginnings = (texts) => texts.map(({ tokens }, n) => `${n + 1}: ${tokens.join("").replace(/\s+/g, " ").trim().slice(0, 40)}`);
  const stepText = (step) => (step === null || step === undefined ? "one checkpoint" : whole.format(step));

  // ---- colour: from the ground to ink, for a byte as its square root, so that small shares show
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

  // ---- one tab stop for many buttons: arrows go from one to the next
  function roving(container, columns, onFocus) {
    const buttons = [...container.querySelectorAll("button")];
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -Infinity, End: Infinity };
    function mark(index) {
      buttons.forEach((button, n) => { button.tabIndex = n === index ? 0 : -1; });
    }
    container.addEventListener("keydown", (event) => {
      const index = buttons.indexOf(event.target);
      if (index < 0 || !(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const wanted = index + moves[event.key];
      const next = Math.abs(moves[event.key]) === Infinity ? Math.min(Math.max(wanted, 0), buttons.length - 1) : wanted;
      if (buttons[next]) buttons[next].focus();
    });
    buttons.forEach((button, n) => {
      button.addEventListener("focus", () => onFocus(n));
      button.addEventListener("click", () => onFocus(n));
    });
    return { buttons, mark };
  }

  // ---- attention
  function unpack(weights) {
    const bytes = Uint8Array.from(atob(weights.bytes), (letter) => letter.charCodeAt(0));
    const perHead = bytes.length / (weights.layers * weights.heads);
    return (layer, head, query, key) => bytes[(layer * weights.heads + head) * perHead + (query * (query + 1)) / 2 + key];
  }

  function canvasOf(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return context;
  }

  const MAP_HEIGHT = 500; // pixels
  const MAP_TOP = 5; // room for a name that is higher than its row

  // The heads of a model to choose from, a text whose tokens show where one looks, and its map.
  function attentionPanel(scores, [startLayer, startHead], say) {
    const state = { layer: startLayer, head: startHead, query: 0, key: null, score: Object.keys(scores)[0] };
    const element = make("div", { class: "ex-attention" });
    const heads = make("div", { class: "ex-heads", role: "group", "aria-label": "Heads" });
    const line = make("div", { class: "ex-line", role: "group", "aria-label": "Tokens of the text" });
    const map = make("canvas", { class: "ex-map", "aria-hidden": "true" });
    const colours = legend();
    const fields = make("div", { class: "ex-fields" });
    const names = Object.keys(scores);
    let weight, tokens, layers, count, thumbnails, tokenButtons, layerChoice, headChoice, cell = 1;

    function chooseHead(layer, head) {
      Object.assign(state, { layer, head });
      layerChoice.set(layer);
      headChoice.set(head);
      paint();
    }

    function makeHeads() {
      const range = (length, name) => Array.from({ length }, (_, n) => `${name} ${n + 1}`);
      layerChoice = choice("Layer", range(layers, "layer"), state.layer, (n) => chooseHead(n, state.head));
      headChoice = choice("Head", range(count, "head"), state.head, (n) => chooseHead(state.layer, n));
      fields.replaceChildren(layerChoice.element, headChoice.element);
      if (names.length) fields.append(choice("Bars below the heads", names.map((name) => `${words(name)} score`), 0, (n) => { state.score = names[n]; paintScores(); }).element);
      heads.style.setProperty("--heads", count);
      heads.replaceChildren();
      for (let layer = 0; layer < layers; layer++) {
        heads.append(make("span", { class: "ex-layer", "aria-hidden": "true" }, String(layer + 1)));
        for (let head = 0; head < count; head++) {
          const bar = make("span", { class: "ex-score" });
          if (!names.length) bar.hidden = true;
          heads.append(make("button", { type: "button" }, make("canvas", { "aria-hidden": "true" }), bar));
        }
      }
      thumbnails = roving(heads, count, (n) => chooseHead(Math.floor(n / count), n % count));
    }

    function scoresOf(layer, head) {
      return names.map((name) => `${words(name)} score ${scores[name][layer][head].toFixed(2)}`);
    }

    function paintScores() {
      thumbnails.buttons.forEach((button, n) => {
        const [layer, head] = [Math.floor(n / count), n % count];
        button.setAttribute("aria-label", [`layer ${layer + 1}, head ${head + 1}`, ...scoresOf(layer, head)].join(", "));
        button.title = button.getAttribute("aria-label");
        if (names.length) button.lastChild.style.setProperty("--score", Math.min(1, Math.max(0, scores[state.score][layer][head])));
      });
    }

    function paintThumbnails() {
      const size = tokens.length;
      thumbnails.buttons.forEach((button, n) => {
        const canvas = button.firstChild;
        [canvas.width, canvas.height] = [size, size];
        const pixels = new ImageData(size, size);
        for (let query = 0; query < size; query++) {
          for (let key = 0; key <= query; key++) {
            pixels.data.set(HEAT[weight(Math.floor(n / count), n % count, query, key)][2], 4 * (query * size + key));
          }
        }
        canvas.getContext("2d").putImageData(pixels, 0, 0);
      });
    }

    function makeLine() {
      line.replaceChildren(...tokens.flatMap((token) => {
        const button = make("button", { type: "button", "aria-label": `token ${quoted(token)}` }, shown(token));
        return token.endsWith("\n") ? [button, make("br")] : [button];
      }));
      tokenButtons = roving(line, 1, (n) => { Object.assign(state, { query: n, key: null }); paint(); });
      tokenButtons.buttons.forEach((button, n) => button.addEventListener("mouseenter", () => { Object.assign(state, { query: n, key: null }); paint(); }));
    }

    function paintLine() {
      tokenButtons.mark(state.query);
      tokenButtons.buttons.forEach((button, key) => {
        const later = key > state.query;
        button.classList.toggle("ex-later", later);
        if (key === state.query) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
        if (later) button.style.background = button.style.color = "";
        else heat(button, weight(state.layer, state.head, state.query, key));
      });
    }

    // Each token's name stands at the end of its row, which is the top of its column.
    function paintMap() {
      const size = tokens.length;
      const width = element.clientWidth;
      if (!width) return;
      const font = `11px ${getComputedStyle(line).fontFamily}`;
      const context = canvasOf(map, 1, 1);
      context.font = font;
      const names = tokens.map(marked);
      const ends = names.map((name) => Math.min(110, context.measureText(name).width + 8));
      cell = Math.min(24, MAP_HEIGHT / size, ...ends.map((end, n) => (width - end) / (n + 1)));
      const height = size * cell + 2 * MAP_TOP;
      [map.style.width, map.style.height] = [`${width}px`, `${height}px`];
      const pen = canvasOf(map, width, height);
      pen.translate(0, MAP_TOP);
      for (let query = 0; query < size; query++) {
        for (let key = 0; key <= query; key++) {
          pen.fillStyle = HEAT[weight(state.layer, state.head, query, key)][0];
          pen.fillRect(key * cell, query * cell, cell - (cell > 6 ? 0.75 : 0), cell - (cell > 6 ? 0.75 : 0));
        }
      }
      pen.strokeStyle = INK.frame;
      pen.beginPath();
      for (let n = 0; n < size; n++) { pen.lineTo((n + 1) * cell, n * cell); pen.lineTo((n + 1) * cell, (n + 1) * cell); }
      pen.lineTo(0, size * cell); pen.lineTo(0, 0); pen.closePath(); pen.stroke();
      pen.textBaseline = "middle";
      pen.textRendering = "optimizeSpeed"; // no ligatures: "<=" is two signs
      const every = Math.ceil(10.5 / cell);
      const near = (n) => [state.query, state.key].some((mark) => mark !== null && n !== mark && Math.abs(n - mark) < every);
      for (let n = 0; n < size; n++) {
        const chosen = n === state.query || n === state.key;
        if (!chosen && (n % every || near(n))) continue;
        pen.font = chosen ? `bold ${font}` : font;
        pen.fillStyle = chosen ? INK.mark : INK.label;
        pen.fillText(names[n], (n + 1) * cell + 4, (n + 0.5) * cell, width - (n + 1) * cell - 4);
      }
      pen.lineWidth = 2;
      pen.strokeStyle = INK.mark;
      pen.strokeRect(1, state.query * cell, (state.query + 1) * cell - 1, cell);
      if (state.key !== null) pen.strokeRect(state.key * cell, state.key * cell, cell, (size - state.key) * cell - 1);
    }

    function point(event) {
      const box = map.getBoundingClientRect();
      const query = Math.floor((event.clientY - box.top - MAP_TOP) / cell);
      const key = Math.floor((event.clientX - box.left) / cell);
      if (query < 0 || query >= tokens.length) return;
      Object.assign(state, { query, key: key >= 0 && key <= query ? key : null });
      paint();
    }

    function sentence() {
      const { layer, head, query, key } = state;
      const share = (n) => weight(layer, head, query, n) / 255;
      const most = Array.from({ length: query + 1 }, (_, n) => n).sort((a, b) => share(b) - share(a)).slice(0, 3).filter((n) => share(n) > 0);
      const looks = listed(most.map((n) => `${quoted(tokens[n])}${n === query ? " itself" : ""} (${percent(share(n))})`));
      const scored = scoresOf(layer, head);
      const own = key === null ? "" : ` At ${quoted(tokens[key])} it looks with ${percent(share(key))}.`;
      return `Layer ${layer + 1}, head ${head + 1}${scored.length ? ` (${scored.join(", ")})` : ""}: token ${query + 1}, ${quoted(tokens[query])}, looks most at ${looks}.${own}`;
    }

    function paint() {
      const chosen = state.layer * count + state.head;
      thumbnails.mark(chosen);
      thumbnails.buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(n === chosen)));
      paintLine();
      paintMap();
      say(sentence());
    }

    function repaint() {
      if (!tokens) return;
      colours.paint();
      paintThumbnails();
      paint();
    }

    function show(item) {
      const sameText = tokens && item.tokens.join("\0") === tokens.join("\0");
      const sameShape = layers === item.weights.layers && count === item.weights.heads;
      [weight, tokens, layers, count] = [unpack(item.weights), item.tokens, item.weights.layers, item.weights.heads];
      if (!sameShape) makeHeads();
      if (!sameText) {
        Object.assign(state, { query: tokens.length - 1, key: null });
        makeLine();
      }
      paintScores();
      repaint();
    }

    map.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") point(event); });
    map.addEventListener("click", point);
    element.append(
      fields, heads,
      make("p", { class: "ex-hint" }, "Point at a token, tap it or go to it with the arrow keys: the colours show where it looks."),
      line, say.element, map, colours.element);
    repaints.add(repaint);
    return { element, show };
  }

  function attention(root, view, say) {
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
  }

  // ---- charts
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

  // Lines in an svg; `lines` have points, a class and perhaps dots, `mark` is where the reader stands.
  function plot(svg, { name, lines, xTicks, xName, height = 200, log = false, mark = null }) {
    const width = svg.parentElement.clientWidth;
    if (!width) return null;
    const points = lines.flatMap((line) => line.points);
    const scale = log ? Math.log10 : (value) => value;
    const [left, right, top, bottom] = [50, 12, 8, xName ? 38 : 22];
    const [xLow, xHigh] = [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
    const around = log || points.some(([, y]) => y !== points[0][1]) ? 0 : 1; // a level line stands in the middle
    const [low, high] = [Math.min(...points.map(([, y]) => y)) - around, Math.max(...points.map(([, y]) => y)) + around];
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

  // ---- logit lens
  function lens(root, view, say) {
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
      const goesOn = next === undefined ? "" : ` The text goes on with ${quoted(next)}`;
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
      make("p", { class: "ex-hint" }, "Each cell is the likeliest next token if the model stopped there; a bar below it marks those that the text goes on with."),
      scroll, guesses, say.element, colours.element);
    fill(0);
    repaints.add(repaint);
  }

  // ---- activations
  function activations(root, view, say) {
    const steps = view.checkpoints ?? [{ step: view.checkpoint, layers: view.layers }];
    const statistics = Object.keys(steps[0].layers[0]).filter((name) => name !== "name");
    const values = (step, name) => step.layers.map((layer) => layer[name]);
    const plots = statistics.map(() => draw("svg"));
    const panels = plots.map((svg, n) => make("div", { class: "ex-panel" }, make("strong", {}, words(statistics[n])), svg));
    const scroll = make("div", { class: "ex-scroll" });
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
  }

  // ---- checkpoints
  function checkpoints(root, view, say) {
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
  }

  // ---- samples
  function samples(root, view, say) {
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
  }

  // ---- the page
  const KINDS = { attention, logit_lens: lens, activations, checkpoints, samples };

  // Says what is shown, in a line that screen readers read out unless something plays.
  function speaker() {
    const element = make("p", { class: "ex-status", "aria-live": "polite" });
    const say = (sentence) => { element.textContent = sentence; };
    say.element = element;
    say.quiet = (on) => element.setAttribute("aria-live", on ? "off" : "polite");
    return say;
  }

  function mount(host) {
    const view = JSON.parse(host.querySelector("script").textContent);
    const before = [...document.images].filter((image) => image.compareDocumentPosition(host) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1);
    host.hidden = false;
    if (before) {
      const still = before.closest(".enlarge") ?? before;
      still.classList.add("ex-still");
      still.after(host);
    }
    KINDS[view.kind](host, view, speaker());
  }

  function repaint() {
    for (const paint of repaints) paint();
  }

  function follow() {
    const theme = () => { mixColours(); repaint(); };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
    new MutationObserver(theme).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    let width = 0;
    new ResizeObserver(() => {
      if (document.documentElement.clientWidth !== width) { width = document.documentElement.clientWidth; repaint(); }
    }).observe(document.documentElement);
  }

  const hosts = document.querySelectorAll(".explorer");
  if (hosts.length) {
    mixColours();
    hosts.forEach(mount);
    follow();
  }
})();
