// Each widget stands in a div.explorer as JSON and takes the place of the still picture before it.

// Says what is shown, in a line that screen readers read out unless something plays.
function speaker() {
  const element = make("p", { class: "ex-status", "aria-live": "polite" });
  const say = (sentence) => { element.textContent = sentence; };
  say.element = element;
  say.quiet = (on) => element.setAttribute("aria-live", on ? "off" : "polite");
  return say;
}

function mount(host) {
  const view = JSON.parse(host.querySelector("script").textContent);
  const before = [...document.images].filter((image) => image.compareDocumentPosition(host) & Node.DOCUMENT_POSITION_FOLLOWING).at(-1);
  host.hidden = false;
  if (before) {
    const still = before.closest(".enlarge") ?? before;
    still.classList.add("ex-still");
    still.after(host);
  }
  KINDS[view.kind](host, view, speaker());
}

function repaint() {
  for (const paint of repaints) paint();
}

function follow() {
  const theme = () => { mixColours(); repaint(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
  new MutationObserver(theme).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  let width = 0;
  new ResizeObserver(() => {
    if (document.documentElement.clientWidth !== width) { width = document.documentElement.clientWidth; repaint(); }
  }).observe(document.documentElement);
}

const hosts = document.querySelectorAll(".explorer");
if (hosts.length) {
  mixColours();
  hosts.forEach(mount);
  follow();
}
