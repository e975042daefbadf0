# %% [markdown]
# # Induction heads {#sec-results-induction}
#
# ## The question
#
# Given `first second … first`, a model that can copy says `second`. In transformers this is the work of two heads in
# two layers, one after the other: a *previous-token head* writes into each place which token stood before it, and an
# *induction head* of a later layer looks for the place that has the present token written in it, and reads what stands
# there [@olsson2022induction]. When do such heads appear, and does the loss fall with them? And does it take two
# layers?

# %%
from IPython.display import Markdown

from llmlab.book.show import (
    command,
    curves,
    explorer,
    method,
    note,
    says,
    table,
    verdict,
)

note("induction")

# %%
# | label: fig-results-induction
# | fig-cap: "The best head's induction score while models of one and of two layers train. Means over seeds with 95 % intervals."
# | fig-alt: "The share of attention that the best head gives to the token after the last occurrence of the present one, over training steps, one line for each number of layers."
curves("induction", "induction", by="n_layers")

# %% [markdown]
# ## Hypotheses and verdicts

# %%
verdict("H-IND-1")

# %%
verdict("H-IND-2")

# %%
verdict("H-IND-3")

# %% [markdown]
# ## Method
#
# Models of one and of two layers, otherwise the same, train on source code, in which names return all the time. Heads
# are measured on a text that nobody can know: random tokens, all different, and then the same again. There are two
# scores, each of the best head of the model:
#
# - **induction**: from a token of the second copy, the share of attention that goes to the token *after* its first
#   occurrence,
# - **previous token**: the share that goes to the token before, in the same text.
#
# A head that spreads its attention evenly has a few per cent at most of either. What the heads are good for is measured
# apart, on real text: **copy gain** is the loss on a piece of unseen code minus the loss on the same piece when it
# comes a second time in the same context. It needs no theory of heads: a model that copies has it, however it does so.

# %%
# | label: tbl-induction-method
# | tbl-cap: "Conditions and budget of the induction experiment."
method("induction")

# %% [markdown]
# The table is made by

# %%
command("induction")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-induction
# | tbl-cap: "Scores of the best head, copy gain and loss at the end of training."
table(
    "induction",
    ["induction", "previous_token", "copy_gain", "validation_loss"],
    by="n_layers",
)

# %%
# | label: fig-results-induction-scores
# | fig-cap: "Both scores of a two-layer model while it trains."
# | fig-alt: "Two lines over training steps, the score of the best previous-token head and that of the best induction head."
curves("induction", ["previous_token", "induction"], together="attention", n_layers=2)

# %%
# | label: fig-results-induction-gain
# | fig-cap: "Copy gain while models of one and of two layers train: what they save per token when a text comes again."
# | fig-alt: "Copy gain over training steps, one line for each number of layers."
curves("induction", "copy_gain", by="n_layers")

# %%
# | label: fig-results-induction-loss
# | fig-cap: "Validation loss of the same models."
# | fig-alt: "Validation loss over training steps, one falling line for each number of layers."
curves("induction", "validation_loss", by="n_layers")

# %% [markdown]
# ### Looking at the heads
#
# The attention of one trained model with two layers, on code that begins to repeat itself. Choose text, layer and
# head; the arrows move the query from token to token. The heads are opened at the one with the highest induction score.

# %%
# | label: fig-results-induction-heads
# | fig-cap: "Where the heads of a two-layer model look, on code that repeats itself."
# | fig-alt: "A triangle of attention weights from each token to itself and those before it, for the head with the highest induction score, and small ones for all heads."
explorer("induction", "attention", run={"n_layers": 2}, seed=0)

# %% [markdown]
# The *logit lens* asks what the model would say if it stopped at a layer [@nostalgebraist2020lens]: the last norm and
# the output layer read the residual stream where it is.

# %%
# | label: fig-results-induction-lens
# | fig-cap: "What each layer of the same model would say next, and what it would cost."
# | fig-alt: "A grid of tokens by layers with the most likely next token in each field, coloured by its probability."
explorer("induction", "logit lens", run={"n_layers": 2}, seed=0)

# %% [markdown]
# And how large are the numbers in it? The residual stream grows while the model trains, and with it what one layer has
# to write in order to be heard by the next.

# %%
# | label: fig-results-induction-activations
# | fig-cap: "The residual stream and the MLP's units of the same model at each look, by layer."
# | fig-alt: "Small panels, one for each statistic of the activations, over the layers, one line for each step."
explorer("induction", "activations", run={"n_layers": 2}, seed=0)

# %% [markdown]
# ## Learnings

# %%
two = says(
    "H-IND-1",
    supported="Induction takes two layers: a head that looks at what followed the last time appears in the model of "
    "two layers and not in that of one.",
    refuted="Two layers have no better induction head than one after so short a training.",
    undecided="Whether two layers have a better induction head than one after so short a training, these runs do not "
    "say.",
)
before = says(
    "H-IND-2",
    supported="A head for the token before is learned early and well; it is the half of induction that comes first.",
    refuted="No head gives most of its attention to the token before: the first half of induction is missing, at "
    "least on random tokens.",
    undecided="Whether some head gives most of its attention to the token before, these runs do not say.",
)
copies = says(
    "H-IND-3",
    supported="With two layers a text that comes again costs markedly less, and that is what induction is for.",
    refuted="Two layers do not copy markedly better than one.",
    undecided="Whether two layers copy markedly better than one, these runs do not say.",
)
Markdown("\n".join(f"- {learning}" for learning in (two, before, copies)))
