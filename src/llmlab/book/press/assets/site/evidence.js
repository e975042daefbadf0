// Hints: the provenance of a value and the text of a footnote, on hover, focus and tap.
"use strict";

(() => {
  const box = Object.assign(document.createElement("div"), { className: "hint", id: "hint", role: "tooltip", hidden: true });
  document.body.append(box);

  function show(anchor, content) {
    box.replaceChildren(...content);
    box.hidden = false;
    const place = anchor.getBoundingClientRect();
    const width = box.offsetWidth;
    const left = Math.min(Math.max(12, place.left + place.width / 2 - width / 2), document.documentElement.clientWidth - width - 12);
    const below = place.top < box.offsetHeight + 20;
    box.style.left = `${left + scrollX}px`;
    box.style.top = `${(below ? place.bottom + 8 : place.top - box.offsetHeight - 8) + scrollY}px`;
    anchor.setAttribute("aria-describedby", "hint");
  }

  function hide(anchor) {
    box.hidden = true;
    anchor.removeAttribute("aria-describedby");
  }

  function attach(anchor, content) {
    for (const event of ["mouseenter", "focus"]) anchor.addEventListener(event, () => show(anchor, content()));
    for (const event of ["mouseleave", "blur"]) anchor.addEventListener(event, () => hide(anchor));
    anchor.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(anchor); });
  }

  for (const value of document.querySelectorAll(".value[title]")) {
    const text = value.title;
    value.removeAttribute("title");
    attach(value, () => [text]);
  }
  for (const reference of document.querySelectorAll(".footnote-ref")) {
    const note = document.getElementById(reference.hash.slice(1));
    if (note) attach(reference, () => [...note.cloneNode(true).childNodes]);
  }
})();
