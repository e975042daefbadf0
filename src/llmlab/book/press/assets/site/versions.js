// A menu of the book's other versions, read from versions.json one folder above this version.
"use strict";

(async () => {
  const offset = document.querySelector('meta[name="quarto:offset"]')?.content;
  if (offset === undefined || !location.protocol.startsWith("http")) return;
  const top = new URL(offset || "./", location.href);
  const here = top.pathname.split("/").filter(Boolean).at(-1);
  const answer = await fetch(new URL("../versions.json", top)).catch(() => null);
  if (!answer?.ok) return;
  const versions = [...new Set([...(await answer.json()), here])]; // a preview is not listed
  if (versions.length < 2) return;

  let label = document.querySelector(".versions");
  if (!label) {
    label = Object.assign(document.createElement("label"), { className: "versions", textContent: "Version " });
    label.append(document.createElement("select"));
    document.querySelector("#quarto-sidebar")?.prepend(label);
  }
  const menu = label.querySelector("select");
  menu.append(...versions.map((version) => new Option(version, version, false, version === here)));
  label.hidden = false;
  menu.addEventListener("change", async () => {
    const page = location.pathname.slice(top.pathname.length);
    const same = new URL(`../${menu.value}/${page}`, top);
    const found = await fetch(same, { method: "HEAD" }).catch(() => null);
    location.href = found?.ok ? same : new URL(`../${menu.value}/index.html`, top);
  });
})();
