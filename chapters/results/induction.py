# %% [markdown]
# # When do induction heads appear? {#sec-results-induction}

# %%
from IPython.display import Markdown

from llmlab.book.numbers import bare, number
from llmlab.book.show import (
    answer,
    command,
    curves,
    evidence,
    explorer,
    method,
    note,
    says,
    table,
    value,
    verdict,
)

two = says(
    "H-IND-1",
    supported="Here induction takes two layers: the best head of the two-layer model attends far more to what followed the last "
    "time than that of the one-layer model.",
    refuted="In such short training the second layer brings no induction head: its best head falls short of what "
    "we claimed.",
    undecided="It is open whether two layers have a better induction head than one after such short "
    "training.",
)
copies = says(
    "H-IND-3",
    supported="With two layers repeated text costs markedly less than with one, and that is what induction is for.",
    refuted="On repeated text the second layer saves less than we claimed.",
    undecided="It is open whether two layers copy markedly better than one.",
)
answer(two, copies)

# %% [markdown]
# ## The question
#
# Given `first second … first`, a model that can copy says `second`. In transformers two heads in successive layers do
# this. A *previous-token head* writes into each position which token came before it. An *induction head* in a later
# layer looks for the position that has the current token written into it, and reads which token is there
# [@olsson2022induction]. When do such heads appear, and does the loss fall with them? And does it take two layers?

# %%
note("induction")

# %%
# | label: fig-results-induction
# | fig-cap: "Induction score of the best head during training, for models with one and with two layers. Means over seeds with 95 % confidence intervals."
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
# Models with one and with two layers, otherwise the same, train on source code, in which names recur all the time. We
# measure heads on a text that nobody can predict: a sequence of random tokens, all different, and then the same
# sequence again. There are two scores, each of the best head in the model:
#
# - **induction**: from a token of the second copy, the share of attention that goes to the token *after* its first
#   occurrence,
# - **previous token**: the share that goes to the previous token, in the same text.
#
# A head that spreads its attention evenly scores a few per cent at most on either. In the tests of this book, the heads
# of a circuit made by hand score almost one. We measure separately, on real text, what the heads are good for: **copy
# gain** is the loss on a piece of unseen code minus the loss on the same piece when it appears a second time in the
# same context. It needs no theory of heads: a model that copies has it, however it copies.

# %%
# | label: tbl-induction-method
# | tbl-cap: "Conditions and budget of the induction experiment."
method("induction")

# %% [markdown]
# This command makes the table:

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
# | fig-cap: "Both scores of a two-layer model during training."
# | fig-alt: "Two lines over training steps, the score of the best previous-token head and that of the best induction head."
curves("induction", ["previous_token", "induction"], together="attention", n_layers=2)

# %%
# | label: fig-results-induction-gain
# | fig-cap: "Copy gain during training, for models with one and with two layers: what they save per token when a text is repeated."
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
# Here is the attention of one trained two-layer model, on code that begins to repeat itself. Choose text, layer and
# head; the arrow keys move the query from token to token. The view opens at the head with the highest induction score.

# %%
# | label: fig-results-induction-heads
# | fig-cap: "Where the heads of a two-layer model look, on code that repeats itself."
# | fig-alt: "A triangle of attention weights from each token to itself and those before it, for the head with the highest induction score, and small ones for all heads."
explorer("induction", "attention", run={"n_layers": 2}, seed=0)

# %% [markdown]
# The *logit lens* shows what the model would predict if it stopped after a layer [@nostalgebraist2020lens]: the last
# norm and the output layer read the residual stream at that point.

# %%
# | label: fig-results-induction-lens
# | fig-cap: "What each layer of the same model would predict next, and at what loss."
# | fig-alt: "A grid of tokens by layers with the most likely next token in each field, coloured by its probability."
explorer("induction", "logit lens", run={"n_layers": 2}, seed=0)

# %% [markdown]
# How large are the activations? Choose a step, or play the animation, to see how they change during training.

# %%
# | label: fig-results-induction-activations
# | fig-cap: "The residual stream and the MLP's units of the same model at each look, by layer."
# | fig-alt: "Small panels, one for each statistic of the activations, over the layers, one line for each step."
explorer("induction", "activations", run={"n_layers": 2}, seed=0)

# %% [markdown]
# ## Learnings

# %%
before = says(
    "H-IND-2",
    supported="A head learns to look at the previous token; this is the first half of induction.",
    refuted="No head gives most of its attention to the previous token: the first half of induction is missing, at "
    "least on random tokens.",
    undecided="It is open whether some head gives most of its attention to the previous token.",
)
Markdown("\n".join(f"- {learning}" for learning in (two, before, copies)))

# %% [markdown]
# Here are three observations that nobody registered:

# %%
found = evidence("induction")
settings = found.experiment.budgets[found.scale].settings
copy = min(64, settings["context"] // 2)  # random tokens of one copy
even_back = sum(1 / (place + 1) for place in range(copy, 2 * copy)) / copy
even_before = sum(1 / (place + 1) for place in range(1, 2 * copy)) / (2 * copy - 1)
layers = found.runs["n_layers"].unique().tolist()
read = bare(found.runs["tokens"].max() / 1e6)


def of_layers(metric: str) -> str:
    """A metric for each number of layers."""
    texts = [
        f"{value('induction', metric, n_layers=n)} with {n} layer{'s' if n > 1 else ''}"
        for n in layers
    ]
    return " and ".join(texts)


def looks_after(n_layers: int) -> tuple[float, float]:
    """The best head's attention to the token after the last occurrence, in the first text above.

    Mean over the tokens that occurred before, and the same for even attention.
    """
    text = found.views[f"n_layers={n_layers}/seed=0"]["attention"]["texts"][0]
    last, places = {}, []
    for place, token in enumerate(text["tokens"]):
        if last.get(token, place) + 1 < place:
            places.append((place, last[token] + 1))
        last[token] = place
    heads = [head for layer in text["weights"] for head in layer]
    shares = [sum(head[query][key] for query, key in places) / 255 for head in heads]
    even = sum(1 / (query + 1) for query, _ in places)
    return max(shares) / max(1, len(places)), even / max(1, len(places))


(one, _), (two, even_text) = looks_after(1), looks_after(2)
Markdown(
    f"- **The scores.** After {read} million tokens the best head's induction score is {of_layers('induction')}; "
    f"attention spread evenly over all tokens would have {number(even_back, 'share')}. The previous-token score "
    f"is {of_layers('previous_token')}; even attention would have {number(even_before, 'share')}. It moves "
    "(@fig-results-induction-scores), with one layer as with two, but no head specialises in it.\n"
    "- **A picture can deceive.** @fig-results-induction-heads looks like induction in places: here and there the head "
    "looks from a repeated word to what followed it the last time. Over all such places in that text, the best head "
    f"of the two-layer model gives {number(two, 'share')} of its attention to what followed. Even attention would give "
    f"{number(even_text, 'share')}, and a one-layer model, which has no second step for induction, reaches "
    f"{number(one, 'share')}: knowing which words often follow which is enough. (One seed, one text.)\n"
    f"- **Copying by other means.** The copy gain is {of_layers('copy_gain')}. One layer can gain from knowing *which* "
    "tokens are in the context: the second time, the names of the first are simply likelier. The second layer "
    "adds little, and late in the run (@fig-results-induction-gain), without a change in the induction score. This "
    "may be the beginning of something that works on code and not yet on random tokens; these runs end too early to tell."
)

# %% [markdown]
# *What would change our mind:* more tokens, first of all. Published transitions come after billions of tokens in larger
# models [@olsson2022induction], and a transition is sudden: seeing nothing before it says little about when it comes.
# And the scores are those of the *best* head on *random* tokens. They would miss a head that works only on names in
# code, but the copy gain would show it.
