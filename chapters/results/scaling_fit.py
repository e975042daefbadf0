# %% [markdown]
# # Can the fitter be believed? {#sec-results-scaling-fit}
#
# ## The question
#
# A fitted scaling law comes with intervals (@sec-scaling-laws). Do they hold the truth as often as they say? Tables of
# runs are made from a law that we know, and fitted.

# %%
from IPython.display import Markdown

from llmlab.book.show import command, method, note, says, table, value, verdict

note("scaling_fit")

# %%
# | label: tbl-results-scaling-fit
# | tbl-cap: "Share of tables whose 95 % interval holds the truth, for each parameter of the law."
table(
    "scaling_fit",
    ["held_E", "held_A", "held_alpha", "held_B", "held_beta"],
    by="runs",
    compare=False,
)

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-FIT-1")

# %%
verdict("H-FIT-2")

# %% [markdown]
# ## Method
#
# The law is $L = E + A/N^{\alpha} + B/D^{\beta}$ with the values of @besiroglu2024chinchilla, rounded; each loss is off by a
# random factor. A fit minimises the Huber loss of the logarithms, summed, from several starts; intervals are
# percentiles over resamples of the runs. **Intervals on this page are over batches of made tables**, a seed each.

# %%
# | label: tbl-scaling-fit-method
# | tbl-cap: "Conditions and budget of the experiment on fits."
method("scaling_fit")

# %%
command("scaling_fit")

# %% [markdown]
# ## Results

# %%
Markdown(
    f"Over small tables the intervals hold the truth in {value('scaling_fit', 'held', runs='6 x 6 runs')} of all "
    f"cases, over large ones in {value('scaling_fit', 'held', runs='10 x 10 runs')}. The intervals of $\\alpha$ are "
    f"{value('scaling_fit', 'alpha_width', runs='6 x 6 runs')} and "
    f"{value('scaling_fit', 'alpha_width', runs='10 x 10 runs')} wide."
)

# %% [markdown]
# ### Published models
#
# The same fitter on [104]{.setting} public language models [@gadre2024scaling], one evaluation set at a time:

# %%
# | label: tbl-results-scaling-public
# | tbl-cap: "Laws of 104 public models on three evaluation sets; 95 % intervals over resamples of the models."
# | echo: true
from llmlab.book.markup import pipe_table
from llmlab.market.fits.fitting import fit_law
from llmlab.market.fits.public import public_runs

rows = []
for name in ("c4_val", "paloma_c4_en", "openlm"):
    fit = fit_law(public_runs(name), resamples=100)
    ends = [f"{p.value:.3g} ({p.low:.3g} to {p.high:.3g})" for p in fit.parameters.values()]
    rows.append(
        [name.replace("_", " "), *(ends[i] for i in (0, 2, 4)), f"{fit.optimum.reached:.0%}"]
    )
Markdown(pipe_table(["evaluation set", "E", "α", "β", "starts at the optimum"], rows))

# %% [markdown]
# ## Learnings

# %%
learnings = [
    says(
        "H-FIT-1",
        supported="Over a hundred runs the intervals are honest.",
        refuted="Over a hundred runs the intervals do not hold the truth as often as they say.",
        undecided="Whether intervals over a hundred runs are honest within two points, these tables do not settle.",
    ),
    says(
        "H-FIT-2",
        supported="So they are over 36 runs.",
        refuted="Over 36 runs they do not hold it as often as they say: read them as somewhat wider than printed.",
        undecided="For 36 runs it is open.",
    ),
]
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* real losses are not off by independent factors. Runs that share a tokenizer, a schedule
# or a bug are off together, and no resampling of runs sees that.
