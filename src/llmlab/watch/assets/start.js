// Starting a run: what is typed becomes a command, word by word; it is shown, and only then started.

const EXAMPLES = {
  train: "--config nano --corpus stdlib --steps 300",
  finetune: "--base micro --data subtraction --steps 200",
  run: "learning_rate --scale smoke",
  simulate: "--gpus 512 --exit-after-time 10min --format jsonl --log runs/simulated/log.jsonl",
};

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}

export class Starting {
  // `started`: is told that something was started
  constructor(dialog, list, { started }) {
    this.dialog = dialog;
    this.list = list;
    this.tell = started;
    this.started = [];
    this.form = dialog.querySelector("form");
    this.output = dialog.querySelector("output");
    this.words = dialog.querySelector(".words");
    this.go = dialog.querySelector(".go");
    const { verb, options } = this.form.elements;
    verb.addEventListener("change", () => this.#example());
    options.addEventListener("input", () => this.#forget());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#show();
    });
    this.go.addEventListener("click", () => this.#start());
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    this.#example();
  }

  open() {
    this.dialog.showModal();
  }

  async look(run) {
    const { id } = await post("/api/inspect", { run });
    await this.refresh();
    return id;
  }

  // the commands that were started: how they go, and what they said last
  async refresh() {
    const answer = await fetch("/api/started");
    if (!answer.ok) return;
    this.started = (await answer.json()).started;
    this.list.hidden = !this.started.length;
    const shown = JSON.stringify(this.started);
    if (this.shown === shown) return;
    this.shown = shown;
    const open = new Set([...this.list.querySelectorAll("details[open]")].map(({ dataset }) => dataset.id));
    this.list.querySelector("ul").replaceChildren(...this.started.map((one) => this.#item(one, open)));
  }

  #item({ id, argv, code, output }, open) {
    const item = document.createElement("li");
    const details = Object.assign(document.createElement("details"), { open: open.has(id) });
    details.dataset.id = id;
    const state = code === null ? "running" : code === 0 ? "finished" : `failed (${code})`;
    const summary = Object.assign(document.createElement("summary"), { textContent: `${argv.slice(3).join(" ")}: ${state}` });
    summary.className = code ? "failed" : "";
    // a meter writes one line over another
    const text = output.split("\n").map((line) => line.split("\r").filter(Boolean).at(-1) ?? "").join("\n");
    details.append(summary, Object.assign(document.createElement("pre"), { textContent: text.trim() || "No output.", tabIndex: 0 }));
    item.append(details);
    return item;
  }

  #example() {
    this.form.elements.options.placeholder = EXAMPLES[this.form.elements.verb.value];
    this.#forget();
  }

  // what was shown is not what would be started any more
  #forget() {
    this.argv = null;
    this.words.replaceChildren();
    this.go.disabled = true;
    this.output.textContent = "";
  }

  async #show() {
    this.#forget();
    const { verb, options } = this.form.elements;
    try {
      this.argv = (await post("/api/command", { verb: verb.value, arguments: options.value })).argv;
    } catch (error) {
      this.output.textContent = error.message;
      return;
    }
    this.words.replaceChildren(...this.argv.map((word) => Object.assign(document.createElement("code"), { textContent: word })));
    this.go.disabled = false;
    this.go.focus();
  }

  async #start() {
    try {
      await post("/api/start", { argv: this.argv });
    } catch (error) {
      this.output.textContent = error.message;
      return;
    }
    this.#forget();
    this.dialog.close();
    await this.refresh();
    this.tell();
  }
}
