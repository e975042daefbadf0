# %% [markdown]
# # Step sizes {#sec-idea}
#
# A step follows the gradient [@kingma2015adam]:
#
# $$ \theta_{t+1} = \theta_t - \eta \nabla L(\theta_t) $$ {#eq-step}
#
# ## Too large a step
#
# By @eq-step a large $\eta$ overshoots[^1], as @fig-parabola shows.
#
# [^1]: The threshold is $2 / L''$.

# %%
# | label: fig-parabola
# | fig-cap: "A parabola, $y = x^2$."
# | fig-alt: "A curve that falls to zero and rises again."
# | echo: true
# | code-fold: true
# | code-summary: "The code of this figure"
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(4, 2))
axes.plot([-2, -1, 0, 1, 2], [4, 1, 0, 1, 4])

# %% [markdown]
# ::: {.callout-note title="Remember"}
# The result is in [another chapter](../results/steps.ipynb).
# :::
