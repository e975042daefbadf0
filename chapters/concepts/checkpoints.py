# %% [markdown]
# # Checkpoints {#sec-checkpoints}
#
# Long runs get interrupted. A **checkpoint** is a snapshot of a run from which it can resume, and resuming should mean:
# as if nothing had happened. @fig-checkpoints-parts stops a run in the middle and resumes it, once with everything, and
# once without each of the parts that are easy to forget. With everything, every loss is the same to the last bit.

# %%
# | label: fig-checkpoints-parts
# | fig-cap: "A run of 80 steps is stopped after 40 (dotted) and resumed. Each panel shows the difference between its losses and those of the uninterrupted run, on its own scale. In the first panel nothing is missing."
# | fig-alt: "Five small panels, one below the other. In the first the line lies exactly on zero. In the others it leaves zero after the dotted line and scatters on both sides of it."
# | echo: true
# | code-fold: true
# | code-summary: "Train, stop, resume, and draw the difference"
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from llmlab.book import style
from llmlab.gpt.model import GPT, GPTConfig
from llmlab.gpt.saved.checkpoints import (
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from llmlab.gpt.text.encoded_corpus import named_corpus
from llmlab.gpt.text.text_tokenizers import train_bpe
from llmlab.gpt.text.token_dataset import TokenBatches, TokenSpan
from llmlab.gpt.training import TrainConfig, Trainer

torch.set_num_threads(1)  # the same numbers on every run
STEPS, STOP = 80, 40
text = "".join(named_corpus("stdlib", 60_000).texts())
tokenizer = train_bpe([text], vocab_size=512)
span = TokenSpan("text", np.array(tokenizer.encode(text)), tokenizer.byte_lengths)
batches = TokenBatches(span, context=32, batch_size=8, seed=0)
shape = GPTConfig(tokenizer.vocab_size, context=32, d_model=64, n_layers=2, n_heads=4, dropout=0.1)
config = TrainConfig(learning_rate=5e-3, steps=STEPS)


def go_on(trainer: Trainer, batches_from: int, until: int = STEPS) -> list[float]:
    """The losses from the trainer's step on, with the text from step `batches_from` on."""
    stream = batches.stream(batches_from, torch.device("cpu"))
    points = trainer.points(stream)
    return [next(points).loss for _ in range(until - trainer.step)]


torch.manual_seed(0)
trainer = Trainer(GPT(shape), config)
before = go_on(trainer, 0, until=STOP)
folder = TemporaryDirectory()
saved = save_checkpoint(
    Path(folder.name),
    weights=trainer.model.state_dict(),
    training={**trainer.state_dict(), "random": random_state()},
    shape=asdict(shape),
    run={"seed": 0},
)
after = go_on(trainer, STOP)  # the run that was not stopped


def resume(missing: str = "nothing") -> list[float]:
    """The losses of a new model and trainer that resume from the checkpoint."""
    torch.manual_seed(1)
    checkpoint = load_checkpoint(saved)
    model, state = GPT(shape), checkpoint.training()
    model.load_state_dict(checkpoint.weights())
    trainer = Trainer(model, config)
    if missing == "the optimizer":
        trainer.step = state["step"]
    else:
        trainer.load_state_dict(state)
    if missing == "the schedule":
        trainer.step = 0
    if missing != "the random numbers":
        set_random_state(state["random"])
    start = 0 if missing == "the place in the text" else STOP
    return go_on(trainer, start, until=trainer.step + STEPS - STOP)


parts = ["nothing", "the optimizer", "the schedule", "the place in the text", "the random numbers"]
resumed = {missing: resume(missing) for missing in parts}
figure, panels = style.subplots(5, 1, height=6.6, sharex=True)
for axes, (missing, losses), colour in zip(panels, resumed.items(), style.CYCLE, strict=False):
    difference = [0] * STOP + [b - a for a, b in zip(after, losses, strict=True)]
    axes.plot(difference, color=colour)
    axes.axvline(STOP - 0.5, color=style.MUTED, linestyle=":")
    axes.set_title(f"missing: {missing}", size=10)
panels[-1].set_xlabel("step")
figure.supylabel("difference in loss (nats per token)", size=10.5)
figure

# %% [markdown]
# ## What a run consists of
#
# Five things decide the next step (@sec-training-loop):
#
# - the **weights**;
# - the **optimizer state**: Adam's two running averages for each weight. Without them the first steps go in a poorly
#   known direction, at a learning rate that is no longer low;
# - the **schedule**: how far the learning rate has got along its curve. It is a function of the step;
# - the **position in the text**: which windows were read and which come next. Here it is a function of the step and the
#   seed. Without it the run reads one part of the text twice and another part never;
# - the **random number state** that dropout draws from. Without it the run is just as good, but not the same, and you
#   can no longer hunt down a bug that shows up at one particular step.
#
# Three of the five need little or no space. A checkpoint is therefore three times as large as the weights.

# %%
# | label: tbl-checkpoints-files
# | tbl-cap: "The files of the checkpoint from which @fig-checkpoints-parts resumes."
# | echo: true
from IPython.display import Markdown

from llmlab.book.markup import pipe_table

contents = {
    "model.safetensors": "weights",
    "training.pt": "optimizer, step, random numbers",
    "checkpoint.json": "shape, recipe, checksums of the other two",
}
n_parameters = trainer.model.n_parameters()
rows = []
for name, content in contents.items():
    size = (saved / name).stat().st_size
    rows.append([f"`{name}`", content, f"{size:,}", f"{size / n_parameters:.1f}"])
Markdown(pipe_table(["file", "holds", "bytes", "bytes per parameter"], rows, numeric=[2, 3]))

# %% [markdown]
# A float32 number takes four bytes. The first file stores one number per weight, the second two. Generating text needs
# only the first.
#
# ## Bit for bit
#
# "The same" is easy to check and leaves nothing to argue about: no tolerance, no statistics. Here is the complete
# resume code, without the parts above that leave something out. Every loss and every weight ends up equal:

# %%
# | echo: true
# | code-fold: false
checkpoint = load_checkpoint(saved)
state = checkpoint.training()
model = GPT(checkpoint.shape)
model.load_state_dict(checkpoint.weights())
again = Trainer(model, config)
again.load_state_dict(state)  # the optimizer, and the step, which decides the rest
set_random_state(state["random"])
losses = go_on(again, batches_from=again.step)

assert losses == after
for name, weights in trainer.model.state_dict().items():
    assert torch.equal(weights, model.state_dict()[name])
print(f"{len(losses)} losses are equal, from {losses[0]} to {losses[-1]}")

# %% [markdown]
# This holds on one machine with a fixed number of threads. Another processor may add the same numbers in another order,
# and the last digits differ; the run is then just as good, but not the same.
#
# ## A crash at the wrong moment
#
# A run is most likely to lose its past at the moment when it saves it: a kill or a full disk leaves half a file. So we
# write a checkpoint under another name and rename it once every byte is on the disk. The rename happens completely or
# not at all, and until then the previous checkpoint is still there. Checksums catch what goes wrong later, in a copy or
# on the disk. Here a file loses its second half:

# %%
# | echo: true
# | code-fold: false
import textwrap

from llmlab.method.errors import LabError

file = saved / "model.safetensors"
file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
try:
    load_checkpoint(saved)
except LabError as error:
    print(textwrap.fill(str(error).replace(folder.name, "run"), width=76))
folder.cleanup()

# %% [markdown]
# On the command line, one option saves checkpoints and one more resumes:
#
# ```bash
# llmlab train --config micro --checkpoint-every 100
# llmlab train --config micro --checkpoint-every 100 --resume
# ```
#
# ## Where this is used
#
# - Looking at models while they learn: @sec-results-pretraining and @sec-results-induction
# - The experiments of this book keep every finished run, so a kill loses at most the run in flight. @sec-reproduction
#   shows how closely they come out the same on another machine.
