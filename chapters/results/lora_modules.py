# %% [markdown]
# # Which layers should carry an adapter? {#sec-results-modules}

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    answer,
    badge,
    best,
    command,
    curves,
    figure,
    means,
    method,
    note,
    says,
    scales,
    table,
    value,
    verdict,
)

at_equal_rank = says(
    "H-MODULES-1",
    supported="At equal rank attention alone is worse than all layers.",
    refuted="At equal rank attention alone is not worse than all layers by our margin.",
    undecided="It is open whether attention alone is worse than all layers at equal rank.",
    untested="We have not tested at laptop or gpu scale yet whether attention alone is worse.",
)
places = says(
    "H-MODULES-4",
    supported="Parameter for parameter the MLP is the better place.",
    refuted="Parameter for parameter, the MLP is not the better place for *this* task, at least not by our margin.",
    undecided="It is open which of the two is the better place, parameter for parameter.",
    untested="We have not tested yet which of the two is the better place.",
    also="The MLP minus attention: {}.",
)
at_equal_rank += (
    f" Attention answers {value('lora_modules', 'accuracy', adapter='attention, rank 8', tuned=['learning_rate'])} of "
    f"the subtractions, all layers {value('lora_modules', 'accuracy', adapter='all, rank 8', tuned=['learning_rate'])}."
)
answer(at_equal_rank, places)

# %% [markdown]
# ## The question
#
# A transformer block has two halves: attention, which moves information between positions (@sec-attention), and the
# MLP, which works on each position by itself (@sec-block). LoRA's authors put their adapters on attention alone
# [@hu2021lora], and libraries often still do so by default. @schulman2025lora found that attention alone is worse, even
# with as many parameters, and that the MLP alone does as well as all layers. Which is true here?

# %%
note("lora_modules")

# %%
# | label: fig-results-modules
# | fig-cap: "Share of held-out subtractions answered with an adapter in each place, at each learning rate. Dots are single runs."
# | fig-alt: "One line for each place of the adapter, accuracy over the learning rate on a logarithmic axis, with error bars."
figure("lora_modules", "accuracy", x="learning_rate", by="adapter")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-MODULES-1")

# %%
verdict("H-MODULES-2")

# %%
verdict("H-MODULES-3")

# %%
verdict("H-MODULES-4")

# %% [markdown]
# ## Method
#
# Attention has the two layers `qkv` and `out` in every block, the MLP the two layers `up` and `down`. At the same rank,
# an adapter on fewer layers has fewer parameters, so there are two questions: does the place matter, or the number of
# parameters? We therefore try both places twice: at the rank of the adapter on all layers, and at the higher rank that
# gives them as many parameters as that adapter, within two percent. Each is judged at its own best learning rate.

# %%
# | label: tbl-modules-method
# | tbl-cap: "Conditions and budget of the experiment on the place of the adapter."
method("lora_modules")

# %% [markdown]
# This command makes the table:

# %%
command("lora_modules")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-modules
# | tbl-cap: "Each place of the adapter at the learning rate with its best validation loss."
table(
    "lora_modules",
    ["accuracy", "validation_loss", "forgetting"],
    by="adapter",
    tuned=["learning_rate"],
)

# %%
order = means("lora_modules", "accuracy", by="adapter", tuned=["learning_rate"])
order = order.sort_values("mean", ascending=False)["adapter"].tolist()
everywhere, attention, mlp = (
    best("lora_modules", "learning_rate", adapter=place)
    for place in ("all, rank 8", "attention, rank 8", "MLP, rank 8")
)
Markdown(
    f"In the order of their mean accuracy, the places are: {'; '.join(order)}. At equal rank the chosen learning rates "
    f"are {everywhere} for all layers, {attention} for attention and {mlp} for the MLP."
)

# %%
# | label: fig-results-modules-loss
# | fig-cap: "Training loss with an adapter in each place, each at its own best learning rate, mean over seeds with its 95 % confidence interval."
# | fig-alt: "One falling curve of the loss for each place of the adapter."
curves("lora_modules", "loss", by="adapter", tuned=["learning_rate"], log_y=True)

# %% [markdown]
# Does the place decide what the model forgets?

# %%
# | label: fig-results-modules-forgetting
# | fig-cap: "Forgetting on the four old skills with an adapter in each place, at each learning rate."
# | fig-alt: "One line for each place of the adapter, forgetting over the learning rate on a logarithmic axis."
figure("lora_modules", "forgetting", x="learning_rate", by="adapter")

# %%
lost = "; ".join(
    f"{value('lora_modules', 'forgetting', adapter=place, tuned=['learning_rate'])} ({place})"
    for place in order
)
Markdown(
    f"At their chosen rates, the adapters lose these shares of the old items: {lost}. They have not learned equally much by then (@tbl-results-modules), so this says what a rate costs "
    "in each place, not which place forgets less for the same gain."
)

# %% [markdown]
# ### A smaller and a larger model
#
# Does the size of the model decide where the adapter should sit? @tbl-modules-scales has every claim at every scale. A
# larger scale also trains for more steps on larger batches, so a gap may shrink merely because there is time to close it.

# %%
# | label: tbl-modules-scales
# | tbl-cap: "The verdict on each claim at each scale, with its effect, its 90 % interval and the number of seeds."
scales("H-MODULES-1")

# %% [markdown]
# ## Learnings

# %%
share = {
    place: value("lora_modules", "accuracy", adapter=place, tuned=["learning_rate"])
    for place in order
}


def answered(text: str, place: str) -> str:
    """What an adapter answers, if this scale has it."""
    return f" {text} {share[place]}." if place in share else ""


at_equal_size = (
    says(
        "H-MODULES-2",
        supported="As many parameters do not make up for the place, so the place matters, not the count.",
        refuted="With as many parameters, attention falls behind less than we claimed.",
        undecided="It is open whether as many parameters make up for the place.",
        untested="We have not tested yet whether as many parameters make up for the place.",
    )
    + answered("At rank 21 it answers", "attention, rank 21")
    + f" (H-MODULES-2 {badge('H-MODULES-2')})"
)
mlp_alone = (
    says(
        "H-MODULES-3",
        supported="The MLP alone does as well as all layers, as published.",
        refuted="The MLP alone does not do as well as all layers, contrary to what is published for far larger models.",
        undecided="It is open whether the MLP alone does as well as all layers.",
        untested="We have not tested yet whether the MLP alone does as well as all layers.",
    )
    + answered("With as many parameters it answers", "MLP, rank 13")
    + f" (H-MODULES-3 {badge('H-MODULES-3')})"
)
places += (
    " Attention may have an advantage here, which no run tests: the new task makes the model treat the same digits "
    "differently when it sees another sign, and borrow from a digit elsewhere. A task of pure memory could well favour "
    "the MLP."
)
Markdown(
    "\n".join(
        f"- {learning}"
        for learning in (
            f"{at_equal_rank} (H-MODULES-1 {badge('H-MODULES-1')})",
            at_equal_size,
            mlp_alone,
            places,
        )
    )
)

# %% [markdown]
# *What would change our mind:* the same sweep on a task of another kind, above all one of memory, because MLPs are
# where facts are thought to be stored; and a finer grid of rates, because the best rate of one place may be between two
# of ours. Until then, "all layers" is the choice that needs no such knowledge, and the book uses it.
