// Search over all pages, without a server: the index is a script, loaded when it is first needed.
"use strict";

(() => {
  const offset = document.querySelector('meta[name="quarto:offset"]').content;
  const dialog = document.querySelector("dialog.search");
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("#hits");
  const note = dialog.querySelector(".search-note");
  const MOST = 20;
  let chosen = 0;

  // As many characters as the text has, so that a hit is marked where it stands.
  const plain = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/[\u00a0\u202f]/g, " ").toLowerCase();

  function load() {
    if (window.bookIndex) return Promise.resolve(window.bookIndex);
    return new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: `${offset}search-index.js`, onerror: reject });
      script.onload = () => {
        for (const entry of window.bookIndex) {
          entry.words = { title: plain(entry.title), page: plain(entry.page), text: plain(entry.text) };
        }
        resolve(window.bookIndex);
      };
      document.head.append(script);
    });
  }

  function matches(text, word) {
    let [count, starts] = [0, 0];
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
      count += 1;
      if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1])) starts += 1;
    }
    return count ? (starts ? 2 + Math.log(starts) : 0.5) : 0;
  }

  const LISTS = /^(appendices\/|references\.)/;

  // Every word must be found; a hit in a heading counts more than one in the text, and one in the
  // lists at the end less than one in a chapter.
  function score(entry, words) {
    let sum = 0;
    for (const word of words) {
      const found = 12 * matches(entry.words.title, word) + 3 * matches(entry.words.page, word) + matches(entry.words.text, word);
      if (!found) return 0;
      sum += found;
    }
    return LISTS.test(entry.url) ? sum / 3 : sum;
  }

  function marked(text, words) {
    const lower = plain(text);
    if (lower.length !== text.length) return [text];
    const nodes = [];
    let from = 0;
    while (from < text.length) {
      const next = words.map((word) => [lower.indexOf(word, from), word]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0])[0];
      if (!next) break;
      const [at, word] = next;
      nodes.push(text.slice(from, at), Object.assign(document.createElement("mark"), { textContent: text.slice(at, at + word.length) }));
      from = at + word.length;
    }
    return [...nodes, text.slice(from)];
  }

  function excerpt(entry, words) {
    const at = Math.max(0, Math.min(...words.map((word) => entry.words.text.indexOf(word)).filter((place) => place >= 0)));
    const start = Number.isFinite(at) && at > 60 ? entry.text.lastIndexOf(" ", at - 50) + 1 : 0;
    return (start ? "… " : "") + entry.text.slice(start, start + 170) + (start + 170 < entry.text.length ? " …" : "");
  }

  function part(className, nodes) {
    const span = Object.assign(document.createElement("span"), { className });
    span.append(...nodes);
    return span;
  }

  function item(entry, words, index) {
    const link = Object.assign(document.createElement("a"), { href: `${offset}${entry.url}?q=${encodeURIComponent(words.join(" "))}${entry.id ? `#${entry.id}` : ""}`, tabIndex: -1 });
    link.append(part("hit-title", marked(entry.title, words)));
    if (entry.page !== entry.title) link.append(part("hit-page", [entry.page]));
    if (entry.text) link.append(part("hit-text", marked(excerpt(entry, words), words)));
    const row = Object.assign(document.createElement("li"), { role: "option", id: `hit-${index}` });
    row.addEventListener("mousemove", () => choose(index));
    row.append(link);
    return row;
  }

  function choose(index) {
    const rows = [...list.children];
    chosen = Math.max(0, Math.min(index, rows.length - 1));
    rows.forEach((row, place) => row.setAttribute("aria-selected", String(place === chosen)));
    if (rows[chosen]) input.setAttribute("aria-activedescendant", rows[chosen].id);
  }

  async function search() {
    const words = plain(input.value).split(/\s+/).filter(Boolean);
    const index = await load();
    if (!words.length) { list.replaceChildren(); note.textContent = ""; return; }
    const hits = index.map((entry) => [score(entry, words), entry]).filter(([found]) => found > 0).sort((a, b) => b[0] - a[0]);
    list.replaceChildren(...hits.slice(0, MOST).map(([, entry], place) => item(entry, words, place)));
    note.textContent = hits.length ? (hits.length > MOST ? `${MOST} of ${hits.length} sections` : "") : `Nothing found for “${input.value}”`;
    choose(0);
  }

  function open() {
    dialog.showModal();
    input.select();
    load().catch(() => { note.textContent = "The search index could not be read."; });
  }

  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      choose(chosen + step);
      list.children[chosen]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      list.children[chosen]?.querySelector("a").click();
    }
  });
  list.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  for (const button of document.querySelectorAll(".search-button")) button.addEventListener("click", open);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if ((event.key === "/" && !typing) || (event.key === "k" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      if (!dialog.open) open();
    }
  });
})();
