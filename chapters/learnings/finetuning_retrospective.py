# %% [markdown]
# # What fine-tuning taught {#sec-learnings-finetuning}
#
# We took base models that know four skills, a new task, and three ways to learn it: train all weights, a thin
# adapter, or an adapter on four-bit weights. This page looks back on the track: what we asked, what came out, what it
# took, what we had not expected, and what we would do differently. A verdict chooses each sentence about a result, and
# each number is read from a table.

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.numbers import number
from llmlab.book.show import cite, progress, says, statistics_of, value
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.statistics import wilson_interval
from llmlab.method.judging.verdicts import judge_all
from llmlab.method.project import Project

# %% [markdown]
# ## The learning rate comes first, the method second

# %%
Markdown(
    says(
        "H-LR-3",
        supported="A wrong learning rate wastes every other good choice",
        refuted="Even a learning rate that is far too high costs less than we thought",
        undecided="The runs do not decide how much a learning rate that is far too high wastes",
        untested="We have not tested yet what a wrong learning rate wastes",
    )
    + f" (@sec-results-learning-rate; {cite('H-LR-3')}). The rate also decides which of LoRA and full fine-tuning looks better"
    + says(
        "H-FULL-8",
        supported=": at a rate that suits one of them, the other looks hopeless",
        refuted=", but a rate that suits one of them does not make the other look as bad as we said",
        undecided=", but the runs do not decide how unfair a rate that suits one is to the other",
        untested="; we have not tested yet how much",
    )
    + f" (@sec-results-full; {cite('H-FULL-8')}). "
    + says(
        "H-FULL-2",
        supported="The published rule, ten times the rate for LoRA, also holds in a far smaller model",
        refuted="LoRA's best rate is not where the published rule, ten times that of full fine-tuning, made us expect it",
        undecided="The runs do not decide whether the published rule, ten times the rate for LoRA, holds here",
        untested="We have not tested the published rule, ten times the rate for LoRA, yet",
    )
    + f" ({cite('H-FULL-2')}). "
    + says(
        "H-FULL-6",
        supported="Once both are tuned, the adapter learns as much as the whole model",
        refuted="Once both are tuned, the adapter and the whole model still end apart",
        undecided="It is open whether the adapter learns as much as the whole model once both are tuned",
        untested="We have not tested yet which of the two learns more once both are tuned",
    )
    + f" ({cite('H-FULL-6')}). Report a learning rate together with the method, the model size and the batch size."
)

# %% [markdown]
# ## Rank is capacity, and capacity is not everything

# %%
Markdown(
    says(
        "H-RANK-4",
        supported="The scaling rule is just another name for the learning rate",
        refuted="The scaling rule is more than another name for the learning rate: tuning one does not replace the other",
        undecided="The runs do not decide whether the scaling rule is more than another name for the learning rate",
        untested="We have not tested yet whether the scaling rule matters once the rate is tuned",
    )
    + f" (@sec-results-lora-rank; {cite('H-RANK-4')}). "
    + says(
        "H-CAPACITY-1",
        supported="With little to store, rank does not matter",
        refuted="Even with little to store, rank matters",
        undecided="The runs do not decide whether rank matters with little to store",
        untested="We have not tested yet whether rank matters with little to store",
    )
    + f" (@sec-results-capacity; {cite('H-CAPACITY-1')}), "
    + says(
        "H-CAPACITY-2",
        supported="and with much to store, it decides",
        refuted="and with much to store, it decides less than we said",
        undecided="and it is open whether rank decides with much to store",
        untested="nor whether it does with much",
    )
    + f" ({cite('H-CAPACITY-2')}). "
    + says(
        "H-MODULES-3",
        supported="The place of the adapter matters less: the MLP alone does as well as all layers",
        refuted="The place of the adapter matters, too: the MLP alone, recommended elsewhere, does not do as well as all layers",
        undecided="The runs do not decide whether the MLP alone does as well as all layers",
        untested="We have not tested yet where the adapter should sit",
    )
    + f" (@sec-results-modules; {cite('H-MODULES-3')}). Both are best chosen by a sweep on the "
    "task at hand."
)

# %% [markdown]
# ## Four bits

# %%
Markdown(
    says(
        "H-QLORA-1",
        supported="Four-bit frozen weights cost no accuracy beyond the margin, once the adapter is trained",
        refuted="Four-bit frozen weights cost accuracy even after training",
        undecided="The runs do not decide whether four-bit frozen weights cost accuracy",
        untested="We have not tested yet whether four-bit frozen weights cost accuracy",
    )
    + f" (@sec-results-qlora-basic; {cite('H-QLORA-1')}). "
    + says(
        "H-QLORA-4",
        supported="They cost time",
        refuted="They cost less time than we had expected",
        undecided="It is open whether they cost time",
        untested="We have not tested yet what they cost in time",
    )
    + f" ({cite('H-QLORA-4')}). "
    + says(
        "H-QLORA-6",
        supported="The shapes predict what they save in memory before a single step",
        refuted="The shapes predict what they save in memory less closely than we said",
        undecided="The runs do not decide whether the shapes predict what they save in memory",
        untested="We have not tested yet whether the shapes predict what they save in memory",
    )
    + f" ({cite('H-QLORA-6')})."
)

# %% [markdown]
# ## Learning has a price, and the model pays it first

# %%
Markdown(
    "At the rate that is best for subtraction, an adapter loses "
    f"{value('learning_rate', 'forgetting', tuned=['learning_rate'])} of the old items, net and averaged over the four "
    "skills. "
    + says(
        "H-MINIMUM-1",
        supported="A visible part of that is gone after ten steps",
        refuted="After ten steps less of it is gone than we had claimed",
        undecided="The runs do not decide how much of it is gone after ten steps",
        untested="We have not tested yet how soon it goes",
    )
    + f" (@sec-dynamics-minimum; {cite('H-MINIMUM-1')}), "
    + says(
        "H-MINIMUM-2",
        supported="before the model has learned anything",
        refuted="but by then the model has learned something",
        undecided="and it is open whether the model has learned anything by then",
        untested="nor how soon learning shows",
    )
    + f" ({cite('H-MINIMUM-2')}). "
    + says(
        "H-FORGET-1",
        supported="At equal accuracy, with a little replay and each at the rate at which it learns best, LoRA forgets less "
        "than full fine-tuning",
        refuted="At equal accuracy, with a little replay, LoRA does not forget as much less than full fine-tuning as we had said",
        undecided="The runs do not decide whether LoRA forgets less at equal accuracy, with a little replay",
        untested="We have not tested yet whether LoRA forgets less at equal accuracy",
    )
    + f" (@sec-results-forgetting; {cite('H-FORGET-1')}), "
    + says(
        "H-FORGET-3",
        supported='but "LoRA always forgets less" is wrong: at some rates it forgets more',
        refuted='and our counterexample to "LoRA always forgets less" fails',
        undecided='and it is open whether "LoRA always forgets less" is wrong',
        untested="nor whether it always does",
    )
    + f" ({cite('H-FORGET-3')}). "
    + says(
        "H-REPLAY-1",
        supported="In full fine-tuning, a little replay of old items makes the model forget much less",
        refuted="A little replay of old items helps less than we had said",
        undecided="The runs do not decide how much a little replay of old items helps",
        untested="We have not tested yet how much a little replay of old items helps",
    )
    + f" ({cite('H-REPLAY-1')})."
)

# %% [markdown]
# ## A real model, and the same bill

# %%
Markdown(
    says(
        "H-REAL-3",
        supported="A real pretrained model forgets more at higher rates, too, over the sweep that we tried",
        refuted="A real pretrained model does not forget more at every higher rate",
        undecided="The runs do not decide whether a real pretrained model forgets more at every higher rate",
        untested="We have not tested yet what a real pretrained model forgets",
    )
    + f" (@sec-results-real-model; {cite('H-REAL-3')}). "
    + says(
        "H-REAL-2",
        supported="Its best rate lies below any that is best for our small ones",
        refuted="Its best rate is not as low as its size made us expect",
        undecided="It is open whether its best rate lies below any that is best for our small ones",
        untested="Its best rate is not known yet",
    )
    + f" ({cite('H-REAL-2')})."
)

# %% [markdown]
# ## Reading a run

# %%
Markdown(
    says(
        "H-CURVES-1",
        supported="Rules on the shape of a loss curve can tell that nothing is wrong",
        refuted="Rules on the shape of a loss curve raise alarms where nothing is wrong",
        undecided="The runs do not decide whether rules on the shape of a loss curve leave healthy runs alone",
        untested="We have not tested yet what the shape of a loss curve can tell",
    )
    + f" (@sec-results-loss-curves; {cite('H-CURVES-1')}), "
    + says(
        "H-CURVES-5",
        supported="and they can tell wrong labels from other faults",
        refuted="and they tell wrong labels from other faults less well than we had said",
        undecided="and it is open whether they can tell wrong labels from other faults",
        untested="including wrong labels",
    )
    + f" ({cite('H-CURVES-5')}). A loss curve does not show what kind of minimum a run ends in: "
    + says(
        "H-LAND-1",
        supported="LoRA ends where the loss is more curved than where full fine-tuning ends",
        refuted="contrary to our guess, LoRA does not end where the loss is more curved",
        undecided="the runs do not decide whether LoRA ends where the loss is more curved",
        untested="we have not tested yet whether LoRA ends where the loss is more curved",
    )
    + f" (@sec-results-training-dynamics; {cite('H-LAND-1')})."
)

# %% [markdown]
# ## What surprised us
#
# This table lists what we were wrong about, in the order of the ledger: every hypothesis of the track that the runs
# refute. Each was an honest guess at the time, mostly from published work on far larger models. It is the most useful
# list of the track.

# %%
# | label: tbl-learnings-finetuning-refuted
# | tbl-cap: "Hypotheses of the track that the evidence refutes."
project = Project.find()
track = {one.id for one in load_ledger(project).questions if one.track == "finetune"}
judged = [one for one in judge_all(project) if one.hypothesis.question in track]
refuted = [one.hypothesis for one in judged if one.word == "REFUTED"]
Markdown(
    pipe_table(
        ["hypothesis", "what we had claimed"], [(claim.id, claim.statement) for claim in refuted]
    )
    if refuted
    else "None so far."
)

# %%
findings = [one for one in judged if not one.is_check]
decided = [one for one in findings if one.word in ("SUPPORTED", "REFUTED")]
wrong = [one for one in findings if one.word == "REFUTED"]
open_ones = [one for one in findings if one.word == "UNDECIDED"]
if decided:
    right = wilson_interval(len(decided) - len(wrong), len(decided))
    guessed = (
        f"We guessed {number(right.value, 'share')} of the {len(decided)} decided hypotheses right "
        f"(from {number(right.low, 'share')} to {number(right.high, 'share')}, as if they were independent, which those on "
        f"one experiment are not). Another {len(open_ones)} were run and stay undecided."
    )
else:
    guessed = "No hypothesis of the track is decided yet."
Markdown(guessed)

# %% [markdown]
# A lab whose guesses are all right asks what it already knows; a lab whose guesses are a coin toss has not read the
# literature. *Undecided* is the most expensive of the three words. It costs as many runs as the others and says only
# how many more it would have taken, which is why each verdict box gives that number.
#
# ## What we would do differently
#
# - **Choose the margin from a pilot's spread.** If the margin of a claim of equality is narrower than what the seeds
#   can resolve, the verdict is undecided whatever the truth. @sec-learnings-dynamics has the numbers that we should
#   have looked at first.
# - **Grade old skills from the first step on.** The last value of forgetting does not say when it happened. The first
#   experiments lacked curves of it.
# - **Never sweep one thing alone.** Rank, scaling rule, layers, batch size and learning rate depend on each other. Read
#   @fig-results-full along a vertical line: every rate ranks the methods differently.
# - **Keep the base model at hand, and small.** Every experiment starts from a model that trains in minutes, and that
#   made hundreds of paired runs possible on a laptop.
# - **Train more than one base model, from the start.** For a long time each run of the track started from the same one.
#   @tbl-base-effects shows how far an effect can differ from one base model to the next, and a few are still few.
# - **Register a claim about the best rate as a ratio, not as a range.** A range from a pilot on one model is out of date
#   as soon as the model grows (@tbl-full-scales), whether or not the idea behind it holds.
# - **Own the few lines that matter.** We wrote the adapter ourselves and test it against a library, so we could look
#   inside, stack and measure it; we could only have used a borrowed one.

# %% [markdown]
# ## The track in numbers
#
# Each verdict is about the largest scale with a current table; a smaller model may have given another one
# (@tbl-full-scales, @tbl-modules-scales and @tbl-rank-scales compare).

# %%
# | label: tbl-learnings-finetuning
# | tbl-cap: "Cost of each experiment, summed over its runs, and the verdicts on its hypotheses; checks do not count."
statistics_of("finetune")

# %% [markdown]
# ## The state of the track

# %%
progress("finetune")
