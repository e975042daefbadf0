// Episodes of a coder, step by step: the program with its changed lines, the answer, the verdict.

KINDS.episodes = (root, view, say) => {
  const all = view.episodes;
  const ended = ({ steps }) => steps.at(-1).outcome;
  const code = make("pre", { class: "ex-text", tabIndex: 0, "aria-label": "Program" });
  const said = make("pre", { class: "ex-text", tabIndex: 0, "aria-label": "Answer and verdict" });
  const holder = make("div");
  let chosen = 0;

  function paint(n) {
    const { steps, koan } = all[chosen];
    const step = steps[n];
    const before = n ? steps[n - 1].code.split("\n") : [];
    const rows = step.code.trimEnd().split("\n").map((text, at) => {
      const line = `${String(at + 1).padStart(2)} ${text}\n`;
      return n && text !== before[at] ? make("b", {}, line) : line;
    });
    code.replaceChildren(...rows);
    const parts = n ? [make("b", {}, "Answer\n"), step.answer, make("hr")] : [];
    said.replaceChildren(...parts, make("b", {}, "Judge\n"), step.said || step.outcome);
    say(`${koan}, ${n ? `answer ${n} of ${steps.length - 1}` : "the start"}: ${step.outcome}.`);
  }

  function open(index) {
    chosen = index;
    const names = all[index].steps.map((_step, n) => (n ? `answer ${n}` : "start"));
    holder.replaceChildren(slider("step", names, 0, paint, say.quiet).element);
    paint(0);
  }

  const titles = all.map((episode, n) => `${n + 1}: ${episode.koan} (${ended(episode)})`);
  root.append(make("div", { class: "ex-fields" }, choice("koan", titles, 0, open).element), holder, code, said, say.element);
  open(0);
};
