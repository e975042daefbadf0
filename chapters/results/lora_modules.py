# %% [markdown]
# # Where an adapter belongs {#sec-results-modules}
#
# ## The question
#
# A block of a transformer has two halves: attention, which moves information between positions (@sec-attention), and
# the MLP, which works on each position by itself (@sec-block). LoRA's authors put their adapters on attention alone
# [@hu2021lora], and libraries still do so unless told otherwise. @schulman2025lora found that attention alone is worse, even
# with as many parameters, and that the MLP alone does as well as all layers. Which is it here?

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    badge,
    best,
    command,
    curves,
    figure,
    means,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

note("lora_modules")

# %%
# | label: fig-results-modules
# | fig-cap: "Subtractions answered (held-out items) with an adapter in each place, at each learning rate. Dots are single runs."
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
# Attention is the two layers `qkv` and `out` of every block, the MLP the two layers `up` and `down`. An adapter on fewer
# layers has fewer parameters at the same rank, so two questions hide in one: does the place matter, or the number of
# parameters? Both places are therefore tried twice, at the rank that the adapter on all layers has, and at the higher
# rank that gives them as many parameters as it has, within two percent. Each is judged at its own best learning rate.

# %%
# | label: tbl-modules-method
# | tbl-cap: "Conditions and budget of the experiment on places."
method("lora_modules")

# %% [markdown]
# The table is made by

# %%
command("lora_modules")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-modules
# | tbl-cap: "Each place of the adapter at the learning rate that its validation loss chose."
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
    f"By their means the places come in this order: {'; '.join(order)}. At equal rank the chosen learning rates "
    f"are {everywhere} on all layers, {attention} on attention and {mlp} on the MLP."
)

# %%
# | label: fig-results-modules-loss
# | fig-cap: "Training loss with an adapter in each place, each at its own best learning rate, mean over seeds with its 95 % interval."
# | fig-alt: "One falling curve of the loss for each place of the adapter."
curves("lora_modules", "loss", by="adapter", tuned=["learning_rate"], log_y=True)

# %% [markdown]
# Does the place decide what is forgotten?

# %%
# | label: fig-results-modules-forgetting
# | fig-cap: "What was forgotten of the four old skills with an adapter in each place, at each learning rate."
# | fig-alt: "One line for each place of the adapter, forgetting over the learning rate on a logarithmic axis."
figure("lora_modules", "forgetting", x="learning_rate", by="adapter")

# %%
lost = {
    place: value("lora_modules", "forgetting", adapter=place, tuned=["learning_rate"])
    for place in order
}
Markdown(
    "At their chosen rates the places with as many parameters lose "
    f"{lost['all, rank 8']} (all layers), {lost['attention, rank 21']} (attention) and {lost['MLP, rank 13']} (the MLP) of "
    "the old skills. They have not learned equally much by then (@tbl-results-modules), so this says what a rate costs "
    "in each place, not which place forgets less for the same gain."
)

# %% [markdown]
# ## Learnings

# %%
share = {
    place: value("lora_modules", "accuracy", adapter=place, tuned=["learning_rate"])
    for place in order
}
at_equal_rank = (
    says(
        "H-MODULES-1",
        supported="At equal rank attention alone is worse than all layers",
        refuted="At equal rank attention alone is not worse than all layers by the margin that we had set",
        undecided="Whether attention alone is worse than all layers at equal rank, these runs do not say",
        untested="Whether attention alone is worse is not tested at laptop or gpu scale yet",
    )
    + f": {share['attention, rank 8']} against {share['all, rank 8']} (H-MODULES-1 {badge('H-MODULES-1')})."
)
at_equal_size = (
    says(
        "H-MODULES-2",
        supported="Giving it as many parameters does not help it: the place matters, not the count",
        refuted="With as many parameters it keeps up: what looked like a bad place was a small adapter",
        undecided="Whether as many parameters make up for the place is not settled",
        untested="Whether as many parameters make up for the place is not tested yet",
    )
    + f": at rank 21 it answers {share['attention, rank 21']} (H-MODULES-2 {badge('H-MODULES-2')})."
)
mlp_alone = (
    says(
        "H-MODULES-3",
        supported="The MLP alone does as well as all layers, as published",
        refuted="The MLP alone does not do as well as all layers, against what is published for larger models",
        undecided="Whether the MLP alone does as well as all layers, these runs do not say",
        untested="Whether the MLP alone does as well as all layers is not tested yet",
    )
    + f": with as many parameters it answers {share['MLP, rank 13']} (H-MODULES-3 {badge('H-MODULES-3')})."
)
places = (
    says(
        "H-MODULES-4",
        supported="Parameter for parameter the MLP is the better place.",
        refuted="Parameter for parameter attention is the better place for *this* task.",
        undecided="Which of the two is the better place, parameter for parameter, is not settled.",
        untested="Which of the two is the better place is not tested yet.",
    )
    + " A guess at the reason, which no run here tests: the new task asks the model to treat the same digits in another "
    "way whenever it sees another sign, and to borrow from a digit elsewhere. A task of pure memory could well turn the "
    "order round."
)
Markdown(
    "\n".join(f"- {learning}" for learning in (at_equal_rank, at_equal_size, mlp_alone, places))
)

# %% [markdown]
# *What would change our mind:* the same sweep on a task of another kind, above all one of memory, since MLPs are where
# facts are thought to be stored; and a finer grid of rates, as the best rate of one place may lie between two of ours.
# Until then, "all layers" is the choice that needs no such knowledge, and it is what the book uses.
