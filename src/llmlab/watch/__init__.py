"""`llmlab watch`: a live view of any run, in a browser, on this machine alone.

Read in this order:

- `catalog`: which runs there are; a name that a browser sends means one of them, or nothing.
- `rows`: reads a log from a byte offset on: all the state that a client needs to continue.
- `access`: who may ask. Host, Origin, a token that becomes a cookie, and what a page may load.
- `starting`: starts a command from the page.
- `schemas`: what the server sends and takes; `openapi` describes it for other programs.
- `server`: the routes, and nothing else; `pages` serves the rendered books.
- `command`: the options of the command; starts the server.
- `assets/`: the page. `watch.js` wires, `stream.js` receives, `run.js` keeps, `chart.js` draws,
  `controls.js` asks; `uplot/` is uPlot 1.6.32 as released, with its licence and SHA-256 sums.

A trainer knows none of this: it writes `log.jsonl` and reads `control.jsonl`
(`llmlab.runs.control`), whether anyone watches or not.
"""
