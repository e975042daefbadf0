"""Create something new from templates: an experiment, a concept, a lab.

- `experiment`, `concept`, `lab`: what each consists of.
- `template`: fills in a template; refuses a name that is taken or does not fit.
- `contents`: adds chapters and parts to `_quarto.yml`.

All generated files run unchanged.
"""
