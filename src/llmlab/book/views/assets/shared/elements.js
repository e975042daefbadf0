// Elements of pages and drawings, fields, sliders, and keys that go from one button to the next.

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

// One tab stop for many buttons: arrows go from one to the next
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
