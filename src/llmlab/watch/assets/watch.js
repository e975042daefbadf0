// The page: which runs are chosen, and when what is drawn.

import { Chart, clock, short } from "./chart.js";
import { Controls } from "./controls.js";
import { Inside } from "./inside.js";
import { Run, smooth } from "./run.js";
import { Starting } from "./start.js";
import { Stream } from "./stream.js";

const COLOURS = ["#2f6fb2", "#c8553d", "#2e8b57", "#8e5bb5", "#b8860b", "#008b8b", "#c2185b", "#708090"];
const MARKS = { alarm: "--bad", diverged: "--bad", steered: "--warning", saved: "--rule" };
const LOSS = "Loss, in nats per token: thin at each step, thick smoothed, dashed on unseen text";
const EMPTY = "This log holds no step yet.";
const SILENT_SECONDS = 60;
const LIST_EVERY = 3000;

const $ = (selector) => document.querySelector(selector);
const chosen = new Map(); // name -> { run, stream, colour }
const known = new Map(); // name -> what /api/runs says
const view = $(".view").elements;
const controls = new Controls($(".controls"));
const starting = new Starting($("dialog"), $(".started"), { started: () => (isAwaited = true) });
const inside = new Inside($(".inside"), { look: (run) => starting.look(run) });
const main = new Chart("Loss", 340);
const small = {
  learning_rate: new Chart("Learning rate", 170),
  gradient_norm: new Chart("Gradient norm", 170),
  tokens_per_second: new Chart("Tokens per second", 170),
};
let isReadOnly = true;
let isListed = false;
let isAwaited = false; // a run that was started here has not appeared yet
let cost = 0; // of the last drawing, in milliseconds
let drawnAt = 0;
let dueAt = Infinity;
let isCatchingUp = false;
let drawing; // the timer of the next drawing

function element(tag, fields = {}, ...children) {
  const made = Object.assign(document.createElement(tag), fields);
  made.append(...children);
  return made;
}

// --- which runs

async function list() {
  try {
    const answer = await fetch("/api/runs");
    if (!answer.ok) throw new Error(await answer.text());
    const { runs, notes, book } = await answer.json();
    const appeared = runs.find(({ name }) => !known.has(name))?.name;
    known.clear();
    for (const run of runs) known.set(run.name, run);
    $(".book").hidden = !book;
    showList(runs);
    section(".notes", "ul", notes, (note) => element("li", { textContent: note }));
    if (isAwaited && appeared) {
      isAwaited = false;
      for (const name of [...chosen.keys()]) choose(name, false);
      choose(appeared, true);
    }
    if (!chosen.size && runs.length) choose(named() ?? runs[0].name, true);
    await starting.refresh();
    due();
    isListed = true;
  } catch {
    isListed = false;
  }
  showConnection();
}

const named = () => {
  const name = new URLSearchParams(location.search).get("run");
  return known.has(name) ? name : null;
};

function showList(runs) {
  const items = $(".runs");
  const shown = runs.map(({ name }) => name).join("\n");
  if (items.dataset.shown !== shown) {
    items.dataset.shown = shown;
    items.replaceChildren(...runs.map(({ name }) => {
      const box = element("input", { type: "checkbox", checked: chosen.has(name) });
      box.addEventListener("change", () => choose(name, box.checked));
      const label = element("label", {}, box, element("span", { className: "swatch" }), element("span", { className: "name", textContent: name }), element("small"));
      label.dataset.run = name;
      return element("li", {}, label);
    }));
  }
  for (const label of items.querySelectorAll("label")) {
    const run = known.get(label.dataset.run);
    label.querySelector("small").textContent = `${ago(run.modified)}, ${short(run.bytes)}B`;
    label.querySelector(".swatch").style.background = chosen.get(run.name)?.colour ?? "transparent";
    label.querySelector("input").checked = chosen.has(run.name);
  }
}

function ago(time) {
  const seconds = Date.now() / 1000 - time;
  if (seconds < SILENT_SECONDS) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return new Date(1000 * time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function choose(name, isChosen) {
  if (isChosen && !chosen.has(name)) {
    const run = new Run(name);
    const taken = new Set([...chosen.values()].map(({ colour }) => colour));
    const colour = COLOURS.find((one) => !taken.has(one)) ?? COLOURS.at(-1);
    const stream = new Stream(name, {
      rows: (rows) => {
        run.take(rows);
        due();
      },
      forget: () => run.forget(),
      state: showConnection,
    });
    chosen.set(name, { run, stream, colour });
  } else if (!isChosen) {
    chosen.get(name)?.stream.close();
    chosen.delete(name);
  }
  showList([...known.values()]);
  due();
}

function showConnection() {
  const streams = [...chosen.values()].map(({ stream }) => stream);
  const isLive = streams.length ? streams.every(({ isOpen }) => isOpen) : isListed;
  const shown = $(".connection");
  shown.textContent = isLive ? "live" : "connection lost; trying again";
  shown.classList.toggle("lost", !isLive);
}

// --- what is drawn

// soon, but never so often that the page is busy; while a long log comes in only now and then, and at
// once when its last rows are there
function due() {
  const now = performance.now();
  const isBehind = [...chosen.values()].some(({ stream }) => stream.isBehind);
  const rested = isCatchingUp && !isBehind ? 0 : drawnAt + 3 * cost;
  isCatchingUp = isBehind;
  const at = Math.max(now + (isBehind ? 700 : 30), rested);
  if (at >= dueAt) return;
  dueAt = at;
  clearTimeout(drawing);
  drawing = setTimeout(() => requestAnimationFrame(draw), at - now);
}

function draw() {
  dueAt = Infinity;
  const began = performance.now();
  const all = [...chosen.values()];
  $(".empty").hidden = all.length > 0;
  $(".watched").hidden = !all.length;
  if (all.length) {
    const { run } = all.at(-1);
    title(all, run);
    tiles(run);
    controls.show(run, isReadOnly);
    charts(all, run);
    events(run);
    checkpoints(run);
    inside.show(run, known.get(run.name), isReadOnly, starting.started);
  }
  drawnAt = performance.now();
  cost = drawnAt - began;
  document.body.dataset.points = String(all.reduce((sum, { run }) => sum + run.points.step.length, 0));
}

function title(all, run) {
  $(".title h2").textContent = run.name + (all.length > 1 ? ` and ${all.length - 1} more` : "");
  const state = stateOf(run);
  const chip = $(".state");
  chip.textContent = state;
  chip.className = `state ${state.split(" ")[0]}`;
  $(".steered").hidden = !run.answered.size;
  const mute = $(".mute");
  mute.hidden = isReadOnly || run.isDone || run.actions.length > 0;
  mute.textContent = "This run takes no requests; it can only be watched.";
  document.title = `${run.last ? `${short(run.last.loss)} · ` : ""}${run.name}`;
}

function stateOf(run) {
  if (run.end) return run.end === "runend" ? "finished" : run.end;
  if (run.isDone) return "finished";
  if (run.isPaused) return "paused";
  const silent = Date.now() / 1000 - (known.get(run.name)?.modified ?? 0);
  return silent < SILENT_SECONDS ? "running" : `last heard ${ago(known.get(run.name)?.modified ?? 0)}`;
}

function tiles(run) {
  const { last } = run;
  const shown = {};
  if (run.trialCount) shown["Runs"] = `${run.trials.size} of ${run.trialCount}`;
  if (last) {
    shown["Step"] = `${(last.step + 1).toLocaleString("en")}${run.totalSteps ? ` of ${run.totalSteps.toLocaleString("en")}` : ""}`;
    shown["Loss (smoothed)"] = short(smooth(run.points.loss.slice(-400), +view.smoothing.value).at(-1));
    const best = run.validations.loss.filter((loss) => loss !== null);
    if (best.length) shown["Validation (best)"] = `${short(best.at(-1))} (${short(best.reduce((a, b) => Math.min(a, b)))})`;
    shown["Learning rate"] = short(last.learning_rate);
    shown["Gradient norm"] = short(last.gradient_norm);
    shown["Tokens"] = short(last.tokens);
    shown["Tokens per second"] = short(run.speed ?? last.tokens_per_second);
    if (last.mfu !== null) shown["MFU"] = `${Math.round(100 * last.mfu)} %`;
    if (last.memory !== null) shown["Memory"] = `${short(last.memory)}B`;
    if (run.totalSteps && !run.isDone) shown["Time left"] = clock(run.pace === null ? null : run.pace * (run.totalSteps - last.step - 1));
  }
  const list = $(".tiles");
  if (list.dataset.names !== Object.keys(shown).join()) {
    list.dataset.names = Object.keys(shown).join();
    list.replaceChildren(...Object.keys(shown).map((name) => element("div", {}, element("dt", { textContent: name }), element("dd"))));
  }
  Object.values(shown).forEach((text, at) => {
    const place = list.children[at].lastChild;
    if (place.textContent !== text) place.textContent = text;
  });
}

function charts(all, run) {
  const axis = view.axis.value;
  const weight = +view.smoothing.value;
  const options = { isLog: view.log.checked, isTime: axis === "seconds" };
  const trials = trialSeries(all);
  const series = trials.length ? trials : all.flatMap((one) => lossSeries(one, axis, weight));
  const last = run.last;
  const summary = last ? `Step ${last.step + 1}: ${short(last.loss)} nats per token.` : "";
  main.draw(series, { ...options, marks: marksOf(run, axis), summary });
  for (const [column, chart] of Object.entries(small)) {
    const lines = all
      .filter((one) => one.run.points[column].some((value) => value !== null))
      .map(({ run: each, colour }) => ({ label: each.name, x: each.points[axis], y: each.points[column], colour, width: 1 }));
    chart.figure.hidden = !lines.length;
    if (lines.length) chart.draw(lines, { isTime: options.isTime, summary: last ? short(last[column]) : "" });
  }
}

function lossSeries({ run, colour }, axis, weight) {
  const { points, validations } = run;
  const x = points[axis];
  const lines = [{ label: run.name, x, y: points.loss, colour, width: 1, alpha: weight ? 0.35 : 1 }];
  if (weight) lines.push({ label: `${run.name}, smoothed`, x, y: smooth(points.loss, weight), colour, width: 2 });
  if (validations.step.length) {
    lines.push({ label: `${run.name}, validation`, x: validations.step.map((step) => along(run, step, axis)), y: validations.loss, colour, width: 1.5, dash: [6, 4], points: true });
  }
  return lines;
}

// where the steps done so far lie on an axis
function along(run, step, axis) {
  if (axis === "step") return step;
  const { points } = run;
  const at = Math.min(step - (points.step[0] ?? 0), points.step.length) - 1;
  return at < 0 ? 0 : points[axis][at];
}

function marksOf(run, axis) {
  return run.said
    .filter(({ event, step }) => MARKS[event] && step !== null)
    .map(({ event, step }) => ({ x: along(run, step, axis), name: MARKS[event] }));
}

// the curves of an experiment or a search: a thin line, or a point, for each of its runs
function trialSeries(all) {
  const names = [...new Set(all.flatMap(({ run }) => [...run.trials.values()].flatMap(Object.keys)))];
  const select = view.curve;
  select.parentElement.hidden = !names.length;
  if (select.dataset.names !== names.join()) {
    select.dataset.names = names.join();
    select.replaceChildren(...names.map((name) => new Option(name)));
  }
  main.caption.textContent = names.length ? select.value : all.some(({ run }) => run.last) ? LOSS : EMPTY;
  return all.flatMap(({ run, colour }) =>
    [...run.trials].filter(([, curves]) => curves[select.value]?.length).map(([label, curves]) => {
      const points = curves[select.value];
      return { label, x: points.map(([step]) => step), y: points.map(([, value]) => value), colour, width: 1, alpha: 0.6, points: points.length === 1 };
    }));
}

function events(run) {
  section(".said", "ol", run.said.slice(-300).reverse(), ({ step, event, text }) =>
    element("li", { className: event }, element("span", { className: "step", textContent: step === null ? "" : `step ${step}` }), element("span", { textContent: text })));
  section(".samples", "ol", run.samples.slice(-20).reverse(), ({ text }) =>
    element("li", {}, element("pre", { textContent: text })));
}

function checkpoints(run) {
  const kept = known.get(run.name)?.checkpoints ?? [];
  const commands = kept.map((name) => `llmlab inspect ${run.name}/checkpoints/${name}`).reverse();
  section(".kept", "ul", commands, (command) => element("li", {}, element("code", { textContent: command })));
}

function section(selector, list, items, make) {
  const place = $(selector);
  const shown = JSON.stringify(items);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  place.hidden = !items.length;
  place.querySelector(list).replaceChildren(...items.map(make));
}

$(".charts").append(main.figure, element("div", { className: "small" }, ...Object.values(small).map(({ figure }) => figure)));
$(".new").addEventListener("click", () => starting.open());
$(".view").addEventListener("input", due);
$(".view").addEventListener("submit", (event) => event.preventDefault());
fetch("/api/health").then((answer) => answer.json()).then((health) => {
  isReadOnly = health.read_only;
  $(".new").hidden = isReadOnly;
  due();
});
list();
setInterval(list, LIST_EVERY);
