// What is known of one run: its log, read into columns as it comes.

const COLUMNS = ["step", "tokens", "seconds", "loss", "gradient_norm", "learning_rate", "tokens_per_second", "mfu", "memory"];
const ENDS = new Set(["finished", "interrupted", "diverged", "runend"]);
const SAID = new Set(["alarm", "saved", "steered", "message", "listening", ...ENDS]);
const MOST_SAID = 2000;

const number = (value) => (Number.isFinite(value) ? value : null);

export class Run {
  constructor(name) {
    this.name = name;
    this.forget();
  }

  forget() {
    this.points = Object.fromEntries(COLUMNS.map((column) => [column, []]));
    this.validations = { step: [], loss: [] };
    this.said = [];
    this.samples = [];
    this.trials = new Map();
    this.trialCount = null;
    this.answered = new Map();
    this.actions = [];
    this.totalSteps = null;
    this.utilisation = null; // MFU of one token per second
    this.isPaused = false;
    this.end = null;
    this.changed = 0;
  }

  take(rows) {
    for (const row of rows) this.#see(row);
    this.changed += 1;
  }

  get last() {
    const at = this.points.step.length - 1;
    return at < 0 ? null : Object.fromEntries(COLUMNS.map((column) => [column, this.points[column][at]]));
  }

  get isDone() {
    const last = this.last;
    if (this.trialCount) return this.trials.size >= this.trialCount;
    return this.end !== null || (last !== null && this.totalSteps !== null && last.step + 1 >= this.totalSteps);
  }

  // mean seconds of the last hundred steps
  get pace() {
    const { seconds } = this.points;
    const first = Math.max(0, seconds.length - 101);
    const steps = seconds.length - 1 - first;
    return steps > 0 ? (seconds.at(-1) - seconds[first]) / steps : null;
  }

  get speed() {
    const { tokens, seconds } = this.points;
    const first = Math.max(0, seconds.length - 101);
    const passed = seconds.at(-1) - seconds[first];
    return passed > 0 ? (tokens.at(-1) - tokens[first]) / passed : null;
  }

  #see(row) {
    const event = String(row.event ?? "").toLowerCase();
    if (event === "point" || event === "step") this.#point(row, event === "step");
    else if (event === "validation") this.#validation(row);
    else if (event === "run" || event === "runstart") this.#start(row);
    else if (event === "trial") this.#trial(row);
    else if (event === "machine") this.utilisation = number(row.flops_per_token / row.peak_flops);
    if (event === "listening") [this.actions, this.end] = [row.actions ?? [], null];
    if (event === "steered") this.#steered(row);
    if (ENDS.has(event)) this.end = event;
    if (SAID.has(event) && event !== "listening") this.#say(row, event);
    if (typeof row.sample === "string") this.samples.push({ step: row.step ?? null, text: row.sample });
  }

  // `counted`: whether tokens are those of all steps so far, as a simulated run has them
  #point(row, counted) {
    const { points } = this;
    const seconds = number(row.seconds) ?? 0;
    const tokens = number(row.tokens) ?? 0;
    points.step.push(row.step);
    points.tokens.push(counted ? tokens : (points.tokens.at(-1) ?? 0) + tokens);
    points.seconds.push((points.seconds.at(-1) ?? 0) + seconds);
    points.loss.push(number(row.loss));
    points.gradient_norm.push(number(row.gradient_norm ?? row.grad_norm));
    points.learning_rate.push(number(row.learning_rate));
    points.tokens_per_second.push(number(row.tokens_per_second ?? row.tokens_per_s) ?? (seconds ? tokens / seconds : null));
    const speed = points.tokens_per_second.at(-1);
    points.mfu.push(number(row.mfu) ?? (this.utilisation && speed ? this.utilisation * speed : null));
    points.memory.push(number(row.memory));
  }

  #validation(row) {
    this.validations.step.push(row.step);
    this.validations.loss.push(number(row.loss));
  }

  #start(row) {
    this.totalSteps = number(row["train.steps"] ?? row.steps) ?? this.totalSteps;
    this.trialCount = number(row.trials);
  }

  #trial(row) {
    if (typeof row.run_id === "string") this.trials.set(row.run_id, row.curves ?? {});
  }

  #steered(row) {
    this.answered.set(row.id, row);
    if (row.action === "pause") this.isPaused = true;
    if (row.action === "resume" || row.action === "stop") this.isPaused = false;
  }

  #say(row, event) {
    const texts = {
      alarm: () => `${row.kind}: ${row.message}`,
      saved: () => `saved ${String(row.folder ?? "").split("/").at(-1)}`,
      steered: () => `steered: ${row.action}${row.rate ? ` ${row.rate}` : ""}`,
      message: () => row.text,
    };
    this.said.push({ step: row.step ?? null, event, text: String(texts[event]?.() ?? event) });
    if (this.said.length > MOST_SAID) this.said.shift();
  }
}

// the exponential mean, without the bias of its first values (Adam's correction, 1412.6980, section 3)
export function smooth(values, weight) {
  if (!weight) return values;
  let mean = 0;
  let left = 1;
  return values.map((value) => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    left *= weight;
    return mean / (1 - left);
  });
}
