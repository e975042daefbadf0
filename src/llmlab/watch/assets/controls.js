// Buttons that ask a run for something, and tell what came of it.

const PATIENCE = 10_000;

export class Controls {
  constructor(form) {
    this.form = form;
    this.asked = new Map();
    this.output = form.querySelector("output");
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of form.querySelectorAll("button")) {
      button.addEventListener("click", () => this.#ask(button.dataset.action));
    }
    form.elements.rate.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#ask("rate");
    });
  }

  show(run, isReadOnly) {
    this.run = run;
    this.form.hidden = isReadOnly || run.isDone || !run.actions.length;
    for (const button of this.form.querySelectorAll("button")) {
      const { action } = button.dataset;
      const isMoot = action === "pause" ? run.isPaused : action === "resume" && !run.isPaused;
      button.disabled = isMoot || !run.actions.includes(action);
    }
    for (const [id, wanted] of this.asked) {
      if (wanted.run === run.name && run.answered.has(id)) {
        const { step } = run.answered.get(id);
        this.#settle(id, `${wanted.action}: done after step ${step}`);
      }
    }
  }

  async #ask(action) {
    const request = { run: this.run.name, action };
    if (action === "rate") {
      request.rate = Number(this.form.elements.rate.value.trim() || NaN);
      if (!(request.rate > 0 && Number.isFinite(request.rate))) {
        this.output.textContent = "A learning rate is a number above 0, such as 3e-4.";
        return;
      }
    }
    this.output.textContent = `${action}: asked`;
    try {
      const answer = await fetch("/api/control", { method: "POST", body: JSON.stringify(request) });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      const timer = setTimeout(() => this.#settle(said.id, `${action}: no answer yet; the run may have ended`), PATIENCE);
      this.asked.set(said.id, { run: request.run, action, timer });
    } catch (error) {
      this.output.textContent = `${action}: ${error.message}`;
    }
  }

  #settle(id, text) {
    clearTimeout(this.asked.get(id)?.timer);
    this.asked.delete(id);
    this.output.textContent = text;
  }
}
