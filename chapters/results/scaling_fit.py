# %% [markdown]
# # Can you trust a fitted scaling law? {#sec-results-scaling-fit}

# %%
from IPython.display import Markdown

from llmlab.book.show import answer, command, method, note, says, table, value, verdict

learnings = [
    says(
        "H-FIT-1",
        supported="With a hundred runs the intervals have the coverage they claim, within two points.",
        refuted="With a hundred runs the intervals do not contain the truth as often as they claim.",
        undecided="These tables do not decide whether intervals from a hundred runs have the coverage they claim, within two points.",
    ),
    says(
        "H-FIT-2",
        supported="The same holds with 36 runs.",
        refuted="With 36 runs their coverage is off by more than two points: take them as approximate.",
        undecided="With 36 runs it is open.",
    ),
]
answer(*learnings)

# %% [markdown]
# ## The question
#
# A fitted scaling law comes with intervals (@sec-scaling-laws). Do they contain the truth as often as they claim? We
# make tables of runs from a law that we know, and fit them.

# %%
note("scaling_fit")

# %%
# | label: tbl-results-scaling-fit
# | tbl-cap: "Coverage: the share of tables whose 95 % interval contains the truth, for each parameter of the law."
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
# The law is $L = E + A/N^{\alpha} + B/D^{\beta}$ with the values of @besiroglu2024chinchilla, rounded; each loss is
# multiplied by a random factor. A fit minimises the Huber loss of the logarithms, summed, from several starting points;
# intervals are bias-corrected percentiles over resamples of the runs (bootstrap) [@efron1993bootstrap, section 14.3].
# Plain percentiles contain the truth too often: this fit is nearly one of medians and jumps from run to run, while its
# resamples scatter around a smoother centre, nearer to the truth. The correction moves the interval by twice the
# distance from that centre to the fit. **Intervals on this page are over batches of synthetic tables**, one
# batch per seed.

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
    f"For small tables the intervals contain the truth in {value('scaling_fit', 'held', runs='6 x 6 runs')} of all "
    f"cases, for large ones in {value('scaling_fit', 'held', runs='10 x 10 runs')}. The intervals of $\\alpha$ are "
    f"{value('scaling_fit', 'alpha_width', runs='6 x 6 runs')} and "
    f"{value('scaling_fit', 'alpha_width', runs='10 x 10 runs')} wide."
)

# %% [markdown]
# ### Published models
#
# We apply the same fitter to [104]{.setting} public language models [@gadre2024scaling], one evaluation set at a time:

# %%
# | label: tbl-results-scaling-public
# | tbl-cap: "Laws of 104 public models on three evaluation sets, with 95 % intervals over resamples of the models."
# | echo: true
from llmlab.book.markup import pipe_table
from llmlab.market.fits.fitting import fit_law
from llmlab.market.fits.public import public_runs

rows = []
for name in ("c4_val", "paloma_c4_en", "openlm"):
    fit = fit_law(public_runs(name), resamples=100)
    ends = [f"{p.value:.2f} ({p.low:.2f} to {p.high:.2f})" for p in fit.parameters.values()]
    reached = f"{100 * fit.optimum.reached:.0f} %"
    rows.append([name.replace("_", " "), *(ends[i] for i in (0, 2, 4)), reached])
Markdown(pipe_table(["evaluation set", "E", "α", "β", "starts at the optimum"], rows))

# %% [markdown]
# ## Learnings

# %%
Markdown("\n".join(f"- {learning}" for learning in learnings))

# %% [markdown]
# *What would change our mind:* in real runs the errors are not independent. Runs that share a tokenizer, a schedule or
# a bug are off together, and resampling runs cannot see that.
