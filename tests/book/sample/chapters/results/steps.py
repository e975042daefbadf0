# %% [markdown]
# # The best step {#sec-result}
#
# [Go back to @sec-idea and @fig-parabola.]{} See [-@tbl-steps] too.
# `steps a<b --scale smoke` makes it.

# %%
# | include: false
from IPython.display import Markdown

# %%
# | include: false
TABLE = """
| Step size | Loss |
|----------:|-----:|
| 0.1 | 0.93 |
| 1.0 | 1.20 |
"""
RESULT = """
The loss is [0.93]{.value title="0.93, 95 % interval 0.91 to 0.95, n = 5"}.

::: {.verdict .supported label="H-1" title="A step of 0.1 beats 1.0"}
The difference is 0.27, see @tbl-steps.
:::

::: {.details summary="The numbers"}
| a | b |
|--:|--:|
| 1 | 2 |
:::
"""

# %%
# | label: tbl-steps
# | tbl-cap: "Loss at each step size, after @fig-parabola [@kingma2015adam]."
Markdown(TABLE)

# %%
Markdown(RESULT)

# %%
print("plain text")
