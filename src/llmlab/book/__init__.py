"""Execute, render and check the book; show evidence in chapters.

A chapter is a percent script below `chapters/`, listed in `_quarto.yml`, that begins with
`# Title {#sec-name}`. Its Markdown is the subset of Quarto's that both renderers support:

- numbered figures, tables, sections and equations (`#| label: fig-x` with `#| fig-cap: …`,
  `: caption {#tbl-x}`, `{#sec-x}`, `$$…$$ {#eq-x}`), referenced from any chapter as `@fig-x`;
- citations `[@key]` from `chapters/references.bib`, footnotes, definition lists, math;
- callouts `::: {.callout-note title="…" collapse="true"}` (note, tip, warning, important, caution);
- code cells with `#| echo`, `include`, `output`, `code-fold`, `code-summary`, `fig-alt`; a chapter
  that shows its code starts with the YAML `execute: {echo: true}`;
- extensions of `assets/pandoc/evidence.lua`: `[0.93]{.value title="provenance"}`,
  `[Supported]{.badge .supported}`, `::: {.verdict .supported label="H-1" title="…"}`,
  `::: {.details summary="…"}`, `::: {.source}`, `::: {.cards}` of `::: {.card}`.

Shortcodes, inline `{python}` expressions and tabsets are refused.
"""
