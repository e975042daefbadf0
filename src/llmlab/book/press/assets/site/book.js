// The page's own behaviour: menu, theme, copy buttons, contents that follow the reader, hints.
"use strict";

const root = document.documentElement;

function menu() {
  const button = document.querySelector(".menu-button");
  const scrim = document.querySelector(".scrim");
  const sidebar = document.getElementById("sidebar");
  function show(open) {
    document.body.classList.toggle("menu-open", open);
    button.setAttribute("aria-expanded", String(open));
    scrim.hidden = !open;
    if (open) sidebar.querySelector("[aria-current], a").focus();
    else if (sidebar.contains(document.activeElement)) button.focus();
  }
  button.addEventListener("click", () => show(!document.body.classList.contains("menu-open")));
  scrim.addEventListener("click", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("menu-open")) show(false);
  });
  const current = sidebar.querySelector("[aria-current]");
  if (current) current.scrollIntoView({ block: "nearest" });
}

function theme() {
  const night = matchMedia("(prefers-color-scheme: dark)");
  document.querySelector(".theme-button").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : night.matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept */ }
  });
}

function copyButtons() {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll("div.sourceCode")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("code").textContent.trimEnd());
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }
}

// What scrolls inside itself can be reached by the keyboard, and nothing else can.
function scrollByKeyboard() {
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const block of document.querySelectorAll('pre, .table-scroll, math[display="block"]')) watch.observe(block);
}

function followReader() {
  const links = new Map([...document.querySelectorAll(".on-page a")].map((link) => [link.hash.slice(1), link]));
  if (!links.size) return;
  const headings = [...links.keys()].map((id) => document.getElementById(decodeURIComponent(id))).filter(Boolean);
  function mark() {
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top < 120);
    const here = (passed.at(-1) ?? headings[0]).id;
    for (const [id, link] of links) link.classList.toggle("here", id === here);
  }
  document.addEventListener("scroll", mark, { passive: true });
  mark();
}

// The words that a search led here for.
function highlight() {
  const words = new URLSearchParams(location.search).get("q");
  if (!words) return;
  const escaped = words.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(${escaped.join("|")})`, "gi");
  const walker = document.createTreeWalker(document.querySelector("article"), NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest("math, script, style") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const pieces = node.data.split(pattern);
    if (pieces.length === 1) continue;
    node.replaceWith(...pieces.map((piece, index) => {
      if (index % 2 === 0) return piece;
      return Object.assign(document.createElement("mark"), { textContent: piece });
    }));
  }
}

menu();
theme();
copyButtons();
scrollByKeyboard();
followReader();
highlight();
