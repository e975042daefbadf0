# %% [markdown]
# # What an adapter holds {#sec-results-capacity}
#
# ## The question
#
# @sec-results-lora-rank asks which rank is best at one load. But an adapter is a vessel, and whether a vessel is too
# small depends on what is poured in. Language models store up to about two bits for each parameter
# [@allenzhu2024capacity], if they see every fact a thousand times. How much does an adapter hold that sees them far less
# often? And is there a load at which rank does not matter, and one at which it decides?

# %%
import math

from IPython.display import Markdown

from llmlab.book import style
from llmlab.book.evidence.results import footer
from llmlab.book.numbers import number
from llmlab.book.show import (
    badge,
    command,
    curves,
    effect,
    evidence,
    figure,
    means,
    method,
    note,
    says,
    table,
    verdict,
)

note("lora_capacity")

# %%
# | label: fig-results-capacity
# | fig-cap: "Share of the facts recalled at each rank, for few and for many facts, each at its own best learning rate. Dots are single runs."
# | fig-alt: "One line for each number of facts, share recalled over the rank on a logarithmic axis; the line for few facts lies above that for many at low ranks."
figure("lora_capacity", "accuracy", x="rank", by="facts", tuned=["learning_rate"])

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-CAPACITY-1")

# %%
verdict("H-CAPACITY-2")

# %%
verdict("H-CAPACITY-3")

# %%
verdict("H-CAPACITY-4")

# %%
verdict("H-CAPACITY-5")

# %%
verdict("H-CAPACITY-6")

# %% [markdown]
# ## Method
#
# A fact is a made-up name and four random letters or digits, such as `*bako=` → `tz7q`. Nothing but memory can answer it,
# and it carries $\log_2 36^4 = 20.7$ bits. All facts are trained on; one half chooses the learning rate by its loss, and
# recall is counted on the other.
#
# How should a small and a large load be compared? With batches of one size and equally many steps, each of many facts
# would be seen less often than each of few, and practice would be mistaken for room. With equally many exposures in
# batches of one size, the larger load would get more steps. So a batch here is always an eighth of the facts: both loads
# get as many steps *and* as many exposures of each fact, and only the amount differs that has to fit in at once. The
# adapters are scaled by $\alpha / \sqrt r$, the rule under which higher ranks did better (@sec-results-lora-rank).

# %%
# | label: tbl-capacity-method
# | tbl-cap: "Conditions and budget of the experiment on capacity."
method("lora_capacity")

# %% [markdown]
# The table is made by

# %%
command("lora_capacity")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-capacity
# | tbl-cap: "Each load and rank at the learning rate that its validation loss chose."
table(
    "lora_capacity",
    ["accuracy", "validation_loss", "forgetting"],
    by=["facts", "rank"],
    tuned=["learning_rate"],
    compare=False,
)

# %% [markdown]
# What is that in bits? A fact recalled exactly counts in full, any other not at all: a lower bound on what is stored,
# for a fact with three right letters of four counts for nothing.

# %%
# | label: fig-results-capacity-bits
# | fig-cap: "Bits recalled for each parameter of the adapter, with 95 % intervals over seeds; the dotted line is where the larger load would stand if it were recalled in full."
# | fig-alt: "One line for each number of facts: bits per parameter over the rank on doubly logarithmic axes, below a dotted line that falls with the rank."
BITS_PER_FACT = math.log2(36**4)

found = evidence("lora_capacity")
base = evidence("base_model").experiment.budgets[found.scale]
(width,) = base.conditions["d_model"]
parameters_per_rank = base.settings["n_layers"] * 16 * width  # a block's layers: 16 d_model ends
recalled = means("lora_capacity", "accuracy", by=["facts", "rank"], tuned=["learning_rate"])
per_share = BITS_PER_FACT * recalled["facts"] / (parameters_per_rank * recalled["rank"])
for end in ("mean", "low", "high"):
    recalled[f"bits_{end}"] = recalled[end].clip(0, 1) * per_share

drawn, axes = style.subplots(height=3.2)
for index, (facts, line) in enumerate(recalled.groupby("facts")):
    line = line[line["bits_mean"] > 0]
    style.error_line(
        axes,
        line["rank"],
        line["bits_mean"],
        line["bits_low"].clip(lower=1e-4),
        line["bits_high"],
        label=f"{facts:.0f} facts",
        marker=style.MARKERS[index],
    )
ranks = sorted(int(rank) for rank in recalled["rank"].unique())
full = BITS_PER_FACT * max(recalled["facts"]) / parameters_per_rank
axes.plot(ranks, [full / rank for rank in ranks], ":", color=style.MUTED)
axes.set_xscale("log", base=2)
axes.set_yscale("log")
axes.set_xticks(ranks, ranks)
axes.set(xlabel="rank", ylabel="bits recalled per parameter")
axes.legend()
drawn.supxlabel(footer(found), x=0.01, ha="left", fontsize=7, color=style.MUTED)
drawn

# %%
peak = recalled.loc[recalled["bits_mean"].idxmax()]
Markdown(
    f"The most that any adapter recalled for each of its parameters is {peak['bits_mean']:.2f} bits "
    f"(from {peak['bits_low']:.2f} to {peak['bits_high']:.2f}, {peak['n']:.0f} seeds), at rank {peak['rank']:.0f} with "
    f"{peak['facts']:.0f} facts."
)

# %% [markdown]
# Whether a vessel is full or still filling, the training loss can tell: one that is full has a flat loss above zero.

# %%
# | label: fig-results-capacity-loss
# | fig-cap: "Training loss with the larger load for each rank at its own best learning rate, mean over seeds with its 95 % interval."
# | fig-alt: "One falling curve for each rank; higher ranks fall sooner and lower."
many = max(found.runs["facts"])
curves("lora_capacity", "loss", by="rank", tuned=["learning_rate"], log_y=True, facts=many)

# %% [markdown]
# ## Learnings

# %%
shown = recalled.set_index(["facts", "rank"])["mean"].map(lambda share: number(share, "share"))
few, many = (shown[facts].to_dict() for facts in (min(found.runs["facts"]), many))


def by_rank(shares: dict[float, str]) -> str:
    """The share recalled at every rank, in words."""
    return ", ".join(f"{share} at rank {rank:.0f}" for rank, share in shares.items())


smallest = recalled[recalled["rank"] == min(ranks)]
in_facts = [
    f"{share * facts:.0f} of {facts:.0f}"
    for facts, share in zip(smallest["facts"], smallest["mean"], strict=True)
]
little = (
    says(
        "H-CAPACITY-1",
        supported="Where there is little to store, rank does not matter: from rank eight on nothing is gained",
        refuted="Even where there is little to store, rank matters",
        undecided="Whether rank matters where there is little to store, the test leaves open",
        untested="Whether rank matters where there is little to store is not tested at laptop or gpu scale yet",
    )
    + f" (H-CAPACITY-1 {badge('H-CAPACITY-1')}). Rank eight minus rank sixty-four is {effect('H-CAPACITY-1')}. Of the smaller load the ranks recall {by_rank(few)}."
)
much = (
    says(
        "H-CAPACITY-2",
        supported="Where there is more, it decides",
        refuted="With four times as much it does not matter as we said, either",
        undecided="Whether rank eight loses as much as we said where there is more is not settled",
        untested="Whether it does where there is more is not tested yet",
    )
    + f" (H-CAPACITY-2 {badge('H-CAPACITY-2')}). There rank eight minus rank sixty-four is {effect('H-CAPACITY-2')}."
)
trend = (
    says(
        "H-CAPACITY-5",
        supported="Of the larger load more is recalled the higher the rank",
        refuted="Recall of the larger load does not rise with rank as we said",
        undecided="Whether recall of the larger load rises with rank, these runs do not say",
        untested="Whether recall of the larger load rises with rank is not tested yet",
    )
    + f" (H-CAPACITY-5 {badge('H-CAPACITY-5')}): {by_rank(many)}."
)
load = (
    says(
        "H-CAPACITY-3",
        supported="It is the load that makes the difference: the same adapter, with as many steps and exposures, recalls a "
        "smaller share of more facts",
        refuted="The load alone costs rank eight less than we said",
        undecided="Whether the load alone costs rank eight as much as we said is not settled",
        untested="What the load alone costs rank eight is not tested yet",
    )
    + f" (H-CAPACITY-3 {badge('H-CAPACITY-3')}). Its share of the larger load "
    f"minus that of the smaller is {effect('H-CAPACITY-3')}."
)
overfull = (
    f"Counted in facts instead of shares, the smallest rank recalls about {' and '.join(in_facts)}."
)
counts = smallest.sort_values("facts").eval("facts * mean").to_list()
if counts[-1] < counts[0]:
    overfull += (
        " A vessel that is merely too small would hold as much of the larger load as of the smaller. This one holds less, so "
        "room alone does not explain it: facts that do not fit together disturb each other, or are learned more slowly."
    )
saturation = says(
    "H-CAPACITY-4",
    supported="From rank thirty-two on the larger load fits, and more rank buys nothing.",
    refuted="Rank thirty-two is not the end: the larger load gains from still more rank.",
    undecided="Whether the larger load is saturated at rank thirty-two is not settled.",
    untested="Whether the larger load is saturated at rank thirty-two is not tested yet.",
)
bits = (
    says(
        "H-CAPACITY-6",
        supported="A parameter of the smallest adapter stores far less than it could",
        refuted="A parameter of the smallest adapter stores more than we thought",
        undecided="How little a parameter of the smallest adapter stores is not settled",
        untested="How little a parameter of the smallest adapter stores is not tested yet",
    )
    + ". Each fact was seen some dozens of times, far fewer than the thousand that the two bits of the literature took. So a "
    "larger rank here may be a *faster* learner as much as a larger vessel; these runs cannot tell the two apart, a run "
    "of twenty times the length could."
)
Markdown(
    "\n".join(
        f"- {learning}" for learning in (little, much, trend, load, overfull, saturation, bits)
    )
)

# %% [markdown]
# *What would change our mind:* longer training at the larger load. If rank eight catches up when it may practise on, the
# difference was one of speed; if it levels off below, it was one of room. Facts with a pattern in them would need fewer
# bits than we count, and an adapter on fewer layers fewer parameters (@sec-results-modules).
