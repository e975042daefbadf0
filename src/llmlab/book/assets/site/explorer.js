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
  const quoted = (token) => `“${shown(token)}”`;
  const marked = (token) => shown(token).replace(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
  const percent = (share) => (share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`);
  const number = (value) => (value === null || value === undefined ? "–" : Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(3))));
  const words = (name) => name.replaceAll("_", " ");
  const listed = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);
  const stepText = (step) => (step === null || step === undefined ? "one checkpoint" : whole.format(step));

  // ---- colour: from the ground to ink as the square root of a share, so that small ones show
  const HEAT = Array.from({ length: 256 }, () => ["", ""]);
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
      HEAT[n] = [`rgb(${colour})`, luminance > 0.179 ? "#000" : "#fff"];
    }
  }

  function heat(element, byte) {
    [element.style.background, element.style.color] = HEAT[byte];
  }

  function legend() {
    const ticks = [0, 5, 25, 50, 100].map((value) => {
      const tick = make("span", {}, `${value} %`);
      tick.style.left = `${Math.sqrt(value / 100) * 100}%`;
      return tick;
    });
    const bar = make("div", { class: "ex-bar" });
    const paint = () => { bar.style.background = `linear-gradient(to right, ${[0, 4, 16, 36, 64, 100, 144, 196, 255].map((n) => HEAT[n][0]).join(",")})`; };
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

  const MAP_HEIGHT = 480; // pixels
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
        const context = canvas.getContext("2d");
        for (let query = 0; query < size; query++) {
          for (let key = 0; key <= query; key++) {
            context.fillStyle = HEAT[weight(Math.floor(n / count), n % count, query, key)][0];
            context.fillRect(key, query, 1, 1);
          }
        }
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
      const every = Math.ceil(11 / cell);
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
      const beginnings = texts.map(([text], n) => `${n + 1}: ${text.tokens.join("").replace(/\s+/g, " ").trim().slice(0, 40)}`);
      fields.append(choice("Text", beginnings, 0, chooseText).element);
      root.append(fields);
    }
    root.append(atCheckpoint, panel.element);
    chooseText(0);
  }

  // ---- the page
  const KINDS = { attention };

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
