"""Executes, renders and checks the book; what chapters call to show evidence.

A chapter is a percent script below `chapters/`, listed in `_quarto.yml`, that begins with
`# Title {#sec-name}`. It is Quarto's Markdown, as far as both renderers show it:

- numbered figures, tables, sections and equations (`#| label: fig-x` with `#| fig-cap: …`,
  `: caption {#tbl-x}`, `{#sec-x}`, `$$…$$ {#eq-x}`), named from any chapter as `@fig-x`;
- citations `[@key]` from `chapters/references.bib`, footnotes, definition lists, math;
- callouts `::: {.callout-note title="…" collapse="true"}` (note, tip, warning, important, caution);
- code cells with `#| echo`, `include`, `output`, `code-fold`, `code-summary`, `fig-alt`; a chapter
  that shows its code starts with the YAML `execute: {echo: true}`;
- what `assets/pandoc/evidence.lua` adds: `[0.93]{.value title="provenance"}`,
  `[Supported]{.badge .supported}`, `::: {.verdict .supported label="H-1" title="…"}`,
  `::: {.details summary="…"}`, `::: {.source}`, `::: {.cards}` of `::: {.card}`.

Shortcodes, inline `{python}` expressions and tabsets are refused.
"""
