// The heads of a model to choose from, a text whose tokens show where one looks, and its map.

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

  // Each token's name is at the end of its row, which is the top of its column.
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
    const own = key === null ? "" : ` It gives ${quoted(tokens[key])} ${percent(share(key))}.`;
    return `Layer ${layer + 1}, head ${head + 1}${scored.length ? ` (${scored.join(", ")})` : ""}: token ${query + 1}, ${quoted(tokens[query])}, attends most to ${looks}.${own}`;
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
    make("p", { class: "ex-hint" }, "Point at a token, tap it or reach it with the arrow keys: the colours show what it attends to."),
    line, say.element, map, colours.element);
  repaints.add(repaint);
  return { element, show };
}
