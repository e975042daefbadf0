// A plan that the reader moves: how long a step takes, where its time goes, what fills the memory.

KINDS.step_time = (root, view, say) => {
  const doubled = (from, to) => Array.from({ length: Math.log2(to / from) + 1 }, (_, n) => from * 2 ** n);
  const OPTIONS = {
    tp: doubled(1, 64), pp: doubled(1, 64), interleave: [1, 2, 4, 6, 8], cp: doubled(1, 32), ep: doubled(1, 128),
    micro_batch: doubled(1, 16), seq_len: doubled(1024, 131072), bits: [16, 8],
    sharding: ["none", "optimizer", "gradients", "parameters"], recompute: ["none", "selective", "full"],
    gpus: doubled(1, 32768), global_batch: doubled(8, 65536),
  };
  const SEARCHED = ["tp", "pp", "interleave", "ep", "micro_batch", "sharding", "recompute"];
  const find = (list, name) => list.find((one) => one.name === name);
  const parsed = ({ model, gpu, ...sizes }) => ({ ...sizes, model: find(view.models, model), gpu: find(view.accelerators, gpu) });
  let plan = parsed(view.plan);
  for (const [key, values] of Object.entries(OPTIONS)) {
    if (!values.includes(plan[key])) OPTIONS[key] = [...values, plan[key]].sort((a, b) => a - b);
  }

  const normal = (changed) => ({
    ...changed,
    ep: changed.model.experts ? changed.ep : 1,
    bits: Math.max(changed.bits, changed.gpu.tensor_8bit > changed.gpu.tensor_16bit ? 8 : 16),
    interleave: changed.pp > 1 ? changed.interleave : 1,
    sequence_parallel: changed.tp > 1 && changed.software !== "plain",
  });
  const setters = [];

  function move(changes) {
    plan = normal({ ...plan, ...changes });
    for (const set of setters) set();
    paint();
  }

  function field(label, key, text = String) {
    const values = OPTIONS[key];
    const made = choice(label, values.map(text), values.indexOf(plan[key]), (n) => move({ [key]: values[n] }));
    setters.push(() => made.set(values.indexOf(plan[key])));
    return made.element;
  }

  function named(label, key, list) {
    const made = choice(label, list.map(({ name }) => name), list.indexOf(plan[key]), (n) => move({ [key]: list[n] }));
    setters.push(() => made.set(list.indexOf(plan[key])));
    return made.element;
  }

  function scale(label, key) {
    const values = OPTIONS[key];
    const input = make("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
    const output = make("output");
    input.addEventListener("input", () => move({ [key]: values[Number(input.value)] }));
    const show = () => {
      input.value = values.indexOf(plan[key]);
      output.textContent = whole.format(plan[key]);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    setters.push(show);
    show();
    return make("div", { class: "ex-slider" }, make("label", { class: "ex-field" }, make("span", {}, label), input), output);
  }

  // all layouts that the fields offer, the fastest of those that fit
  function fastest() {
    const tried = SEARCHED.reduce(
      (plans, key) => plans.flatMap((one) => OPTIONS[key].map((value) => ({ ...one, [key]: value }))), [{}]);
    let best = null;
    for (const layout of tried) {
      const candidate = { ...plan, ...layout };
      const same = normal(candidate);
      if (SEARCHED.some((key) => same[key] !== candidate[key]) || stepFormulas.mistake(same)) continue;
      const found = stepFormulas.predict(same, view.coefficients);
      if (found.bytes <= same.gpu.memory && (!best || found.seconds < best.seconds)) best = { layout, seconds: found.seconds };
    }
    if (best) move(best.layout);
    else say(`No layout of ${plan.model.name} fits ${whole.format(plan.gpus)} × ${plan.gpu.name} with these choices: use more GPUs, a shorter sequence or another batch.`);
  }

  const time = make("ul", { class: "ex-parts" });
  const memory = make("ul", { class: "ex-parts" });
  const bars = make("div", { class: "ex-panels" },
    make("div", { class: "ex-panel" }, make("p", { class: "ex-hint" }, "Where the time goes (seconds)"), time),
    make("div", { class: "ex-panel" }, make("p", { class: "ex-hint" }, "What fills the fullest GPU (GB)"), memory));

  function bar(label, share, words, over = false) {
    const drawn = make("span", { class: over ? "ex-share ex-over" : "ex-share" });
    drawn.style.setProperty("--share", Math.min(1, share));
    return make("li", {}, make("span", {}, label), drawn, make("span", {}, words));
  }

  function paint() {
    const wrong = stepFormulas.mistake(plan);
    bars.hidden = Boolean(wrong);
    if (wrong) { say(wrong); return; }
    const found = stepFormulas.predict(plan, view.coefficients);
    const limit = plan.gpu.memory;
    const gigabytes = (bytes) => (bytes / 1e9).toFixed(1);
    time.replaceChildren(...view.parts.filter(({ name }) => found.parts[name] > 0).map(({ name, label }) => {
      const share = found.parts[name] / found.seconds;
      return bar(label, share, `${found.parts[name].toFixed(3)} · ${share < 0.01 ? "<1" : Math.round(100 * share)} %`);
    }));
    const most = Math.max(limit, found.bytes);
    const over = found.bytes > limit;
    memory.replaceChildren(
      ...view.memory.map(({ name, label }) => bar(label, found.memory[name] / most, gigabytes(found.memory[name]))),
      bar(`total, of ${(limit / 1e9).toFixed(0)}`, found.bytes / most, gigabytes(found.bytes), over));
    const replicas = plan.gpus / (plan.tp * plan.pp * plan.cp);
    const fits = over
      ? ` It does not fit: the fullest GPU needs ${gigabytes(found.bytes)} GB, ${gigabytes(found.bytes - limit)} GB more than it has.`
      : ` The fullest GPU holds ${gigabytes(found.bytes)} of its ${(limit / 1e9).toFixed(0)} GB.`;
    say(`${found.seconds.toPrecision(3)} s per step, ${whole.format(Math.round(found.tokens_per_s_per_gpu))} tokens/s/GPU, MFU ${(100 * found.mfu).toFixed(1)} %, with ${whole.format(replicas)} data-parallel ${replicas === 1 ? "replica" : "replicas"}.${fits}`);
  }

  say.element.classList.add("ex-stays");
  const search = make("button", { type: "button", class: "ex-play" }, "Fastest that fits");
  search.addEventListener("click", fastest);
  const again = make("button", { type: "button", class: "ex-play" }, "Reset");
  again.addEventListener("click", () => move(parsed(view.plan)));
  root.append(
    make("div", { class: "ex-fields" }, named("Model", "model", view.models), named("GPU", "gpu", view.accelerators)),
    scale("GPUs", "gpus"), scale("Sequences per step", "global_batch"),
    make("div", { class: "ex-fields" },
      field("Tensor parallel", "tp"), field("Pipeline stages", "pp"), field("Virtual stages", "interleave"),
      field("Context parallel", "cp"), field("Expert parallel", "ep"), field("Micro-batch", "micro_batch"),
      field("Tokens per sequence", "seq_len", whole.format), field("Bits", "bits"),
      field("Sharded", "sharding"), field("Recomputed", "recompute")),
    make("div", { class: "ex-fields" }, search, again),
    say.element, bars);
  paint();
};
