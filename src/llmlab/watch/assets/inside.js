// The inside of a run's model: the page that `llmlab inspect` makes, with the book's explorers.

export class Inside {
  // `look`: has the page made anew
  constructor(section, { look }) {
    this.section = section;
    this.place = section.querySelector(".page");
    this.button = section.querySelector("button");
    this.output = section.querySelector("output");
    this.link = section.querySelector("a");
    this.button.addEventListener("click", async () => {
      this.output.textContent = "Looking inside; this takes a few seconds.";
      try {
        this.asked = await look(this.run);
      } catch (error) {
        this.output.textContent = error.message;
      }
    });
  }

  // `started`: what is known of the commands that were started
  show(run, known, isReadOnly, started) {
    const asked = started.find(({ id }) => id === this.asked);
    if (asked?.code) this.output.textContent = asked.output.trim().split("\n").at(-1);
    this.run = run.name;
    const kept = known?.checkpoints ?? [];
    const made = known?.inside ?? null;
    this.section.hidden = !(made || (kept.length && !isReadOnly));
    this.button.hidden = isReadOnly || !kept.length;
    this.button.disabled = asked?.code === null;
    this.button.textContent = made ? "Look again" : "Look inside";
    const address = made ? `/inside?${new URLSearchParams({ run: run.name })}` : "";
    this.link.hidden = !made;
    this.link.href = address;
    if (this.shown === `${address} ${made}`) return;
    this.shown = `${address} ${made}`;
    if (made) this.output.textContent = "";
    this.place.replaceChildren();
    if (!made) return;
    const frame = Object.assign(document.createElement("iframe"), { title: `Inside ${run.name}`, src: address, loading: "lazy" });
    frame.setAttribute("sandbox", "allow-scripts");
    this.place.append(frame);
  }
}
