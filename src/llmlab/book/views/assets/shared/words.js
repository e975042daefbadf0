// Numbers, tokens and names as a reader likes them.

const whole = new Intl.NumberFormat("en");
const shown = (token) => token.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll("\r", "␍") || "∅";
const quoted = (token) => `“${shown(token).replaceAll(" ", token.trim() ? "\u00a0" : "·")}”`;
const marked = (token) => shown(token).replace(/^ +| +$/g, (spaces) => "·".repeat(spaces.length));
const percent = (share) => (share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(100 * share)} %`);
const number = (value) => (value === null || value === undefined ? "–" : Number.isInteger(value) ? whole.format(value) : String(Number(value.toPrecision(3))).replace(/^-/, "−"));
const SPELLED = { std: "standard deviation", max: "largest absolute value", mlp: "MLP:" };
const words = (name) => name.split("_").map((part) => SPELLED[part] ?? part).join(" ");
const numeral = (name) => name.match(/\d+$/)?.[0] ?? `${name.slice(0, 3)}.`;
const listed = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);
const beginnings = (texts) => texts.map(({ tokens }, n) => `${n + 1}: ${tokens.join("").replace(/\s+/g, " ").trim().slice(0, 40)}`);
const stepText = (step) => (step === null || step === undefined ? "one checkpoint" : whole.format(step));
