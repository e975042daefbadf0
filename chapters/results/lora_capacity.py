# %% [markdown]
# # How much can an adapter hold? {#sec-results-capacity}

# %%
import math

from IPython.display import Markdown

from llmlab.book import style
from llmlab.book.evidence.results import footer
from llmlab.book.numbers import number
from llmlab.book.show import (
    answer,
    command,
    curves,
    evidence,
    figure,
    means,
    method,
    note,
    says,
    table,
    verdict,
)

little = says(
    "H-CAPACITY-1",
    supported="With little to store, rank does not matter beyond rank eight.",
    refuted="Even with little to store, rank matters.",
    undecided="It is open whether rank matters with little to store.",
    untested="We have not tested at laptop or gpu scale yet whether rank matters with little to store.",
    also="In recall, rank eight minus rank sixty-four is {}.",
)
much = says(
    "H-CAPACITY-2",
    supported="With four times as much to store, rank decides.",
    refuted="With four times as much to store, rank matters less than we said.",
    undecided="With four times as much to store, it is open whether rank eight falls as far behind as we said.",
    untested="We have not tested yet whether rank matters with four times as much.",
    also="There, rank eight minus rank sixty-four is {}.",
)
answer(little, much)

# %% [markdown]
# ## The question
#
# @sec-results-lora-rank tests which rank is best for one amount of facts. But whether an adapter is too small depends
# on how much it has to store. Language models store up to about two bits per parameter [@allenzhu2024capacity], if they
# see every fact a thousand times. How much does an adapter hold if it sees each fact far less often? And is there an
# amount at which rank does not matter, and one at which it decides?

# %%
note("lora_capacity")

# %%
# | label: fig-results-capacity
# | fig-cap: "Share of facts recalled at each rank, for few and for many facts, each at its own best learning rate. Dots are single runs."
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
# A fact is a made-up name and four random letters or digits, such as `*bako=` → `tz7q`. Only memory can answer it, and
# it carries $\log_2 36^4 = 20.7$ bits. The model trains on all facts; one half chooses the learning rate by its
# validation loss, and recall is measured on the other half.
#
# How do we compare a small and a large load fairly? With one batch size and equally many steps, each of many facts
# would be seen less often than each of few, and we would mistake practice for capacity. With one batch size and equally
# many exposures, the larger load would get more steps. So a batch here is always an eighth of the facts: both loads get
# as many steps *and* as many exposures of each fact, and they differ only in how much the adapter has to hold at once.
# The adapters are scaled by $\alpha / \sqrt r$, the rule under which higher ranks did better (@sec-results-lora-rank).

# %%
# | label: tbl-capacity-method
# | tbl-cap: "Conditions and budget of the capacity experiment."
method("lora_capacity")

# %% [markdown]
# This command makes the table:

# %%
command("lora_capacity")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-capacity
# | tbl-cap: "Each load and rank at the learning rate with its best validation loss."
table(
    "lora_capacity",
    ["accuracy", "validation_loss", "forgetting"],
    by=["facts", "rank"],
    tuned=["learning_rate"],
    compare=False,
)

# %% [markdown]
# How much is that in bits? A fact recalled exactly counts in full; any other fact counts for nothing, even with three
# of four letters right. So this is a lower bound on what is stored.

# %%
# | label: fig-results-capacity-bits
# | fig-cap: "Bits recalled per parameter of the adapter, with 95 % confidence intervals over seeds. The dotted line shows the larger load recalled in full."
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
style.sign(drawn, footer(found))
drawn

# %%
peak = recalled.loc[recalled["bits_mean"].idxmax()]
Markdown(
    f"The most that any adapter recalls is {peak['bits_mean']:.2f} bits per parameter "
    f"(from {peak['bits_low']:.2f} to {peak['bits_high']:.2f}, {peak['n']:.0f} seeds), at rank {peak['rank']:.0f} with "
    f"{peak['facts']:.0f} facts."
)

# %% [markdown]
# The training loss shows whether an adapter is full or still learning: the loss of a full one is flat and above zero.

# %%
# | label: fig-results-capacity-loss
# | fig-cap: "Training loss with the larger load for each rank at its own best learning rate, mean over seeds with its 95 % confidence interval."
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
tightest = smallest.loc[smallest["facts"].idxmax()]
in_facts = [
    f"{share * facts:.0f} of {facts:.0f}"
    for facts, share in zip(smallest["facts"], smallest["mean"], strict=True)
]
little += f" The ranks recall these shares of the smaller load: {by_rank(few)}."
trend = (
    says(
        "H-CAPACITY-5",
        supported="The higher the rank, the more of the larger load the adapter recalls.",
        refuted="Recall of the larger load does not rise with rank as we claimed.",
        undecided="It is open whether recall of the larger load rises with rank.",
        untested="We have not tested yet whether recall of the larger load rises with rank.",
    )
    + f" The ranks recall {by_rank(many)}."
)
load = says(
    "H-CAPACITY-3",
    supported="The load makes the difference: the same adapter, with as many steps and exposures, recalls a smaller share "
    "of more facts.",
    refuted="The load alone costs rank eight less than we said.",
    undecided="It is open whether the load alone costs rank eight as much as we said.",
    untested="We have not tested yet what the load alone costs rank eight.",
    also="Its share of the larger load minus that of the smaller is {}.",
)
overfull = f"In facts instead of shares, the smallest rank recalls about {' and '.join(in_facts)}."
counts = smallest.sort_values("facts").eval("facts * mean").to_list()
if counts[-1] < counts[0]:
    overfull += (
        " A store that is merely too small would hold as many facts of the larger load as of the smaller. This one holds "
        "fewer, so capacity alone does not explain it: too many facts may disturb each other, or take longer to learn."
    )
saturation = says(
    "H-CAPACITY-4",
    supported="At rank thirty-two the larger load fits, and more rank buys nothing.",
    refuted="Rank thirty-two is not the end: the larger load gains from still more rank.",
    undecided="It is open whether the larger load is saturated at rank thirty-two.",
    untested="We have not tested yet whether the larger load is saturated at rank thirty-two.",
)
bits = (
    says(
        "H-CAPACITY-6",
        supported="A parameter of the smallest adapter stores far less than it could.",
        refuted="A parameter of the smallest adapter stores more than we thought.",
        undecided="It is open how little a parameter of the smallest adapter stores.",
        untested="We have not tested yet how little a parameter of the smallest adapter stores.",
        also=f"It recalls {number(tightest['mean'], 'share')} of the larger load, "
        f"or {tightest['bits_mean']:.2f} bits per parameter.",
    )
    + " The model saw each fact some dozens of times, far fewer than the thousand behind the two bits in the literature. So "
    "a higher rank may simply learn *faster* instead of holding more. These runs cannot tell the two apart; runs twenty "
    "times as long could."
)
Markdown(
    "\n".join(
        f"- {learning}" for learning in (little, much, trend, load, overfull, saturation, bits)
    )
)

# %% [markdown]
# *What would change our mind:* longer training on the larger load. If rank eight catches up with more practice, the
# difference was one of speed; if it levels off below, it was one of capacity. Facts with a pattern would need fewer
# bits than we count, and an adapter on fewer layers would have fewer parameters (@sec-results-modules).
