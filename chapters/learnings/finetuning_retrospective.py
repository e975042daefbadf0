# %% [markdown]
# # Looking back on fine-tuning {#sec-learnings-finetuning}
#
# A base model that knows four skills, a new task, and three ways to learn it: all weights, a thin adapter, an adapter on
# four-bit weights. This page looks back on the track: what was asked, what came out, what it took, what we had not
# expected, and what we would do otherwise. Each sentence about a result is chosen by a verdict, and each number is read
# from a table.

# %%
from IPython.display import Markdown

from llmlab.book.markup import pipe_table
from llmlab.book.numbers import number
from llmlab.book.show import badge, progress, says, statistics_of, value
from llmlab.method.judging.ledger import load_ledger
from llmlab.method.judging.statistics import wilson_interval
from llmlab.method.judging.verdicts import judge_all
from llmlab.method.project import Project

# %% [markdown]
# ## The track in numbers

# %%
# | label: tbl-learnings-finetuning
# | tbl-cap: "What each experiment took, summed over its runs, and what became of its hypotheses."
statistics_of("finetune")

# %% [markdown]
# ## The rate comes first, the method second

# %%
Markdown(
    says(
        "H-LR-3",
        supported="A wrong learning rate wastes whatever else was chosen well",
        refuted="Even a rate that is far too high is forgiven more than we thought",
        undecided="How much a rate that is far too high wastes is not settled",
        untested="What a wrong learning rate wastes is not tested yet",
    )
    + f" (@sec-results-learning-rate; H-LR-3 {badge('H-LR-3')}). Between LoRA and full fine-tuning it decides the winner: "
    + says(
        "H-FULL-8",
        supported="at a rate that suits one of them, the other looks hopeless",
        refuted="though a rate that suits one of them does not make the other look as bad as we said",
        undecided="though how far a rate that suits one of them is unfair to the other is not settled",
        untested="how far is not tested yet",
    )
    + f" (@sec-results-full; H-FULL-8 {badge('H-FULL-8')}). "
    + says(
        "H-FULL-2",
        supported="The published rule, ten times the rate for LoRA, held in a model a thousand times smaller",
        refuted="The published rule, ten times the rate for LoRA, did not hold in a model this small",
        undecided="Whether the published rule, ten times the rate for LoRA, holds here is not settled",
        untested="The published rule, ten times the rate for LoRA, is not tested yet",
    )
    + f" (H-FULL-2 {badge('H-FULL-2')}). "
    + says(
        "H-FULL-6",
        supported="Once both are tuned, the adapter learns as much as the whole model",
        refuted="Once both are tuned, the adapter and the whole model still end apart",
        undecided="Once both are tuned, it is still open whether the adapter learns as much as the whole model",
        untested="Which of the two learns more once both are tuned is not tested yet",
    )
    + f" (H-FULL-6 {badge('H-FULL-6')}). A rate should be reported with its method, its size of model and its batch."
)

# %% [markdown]
# ## Rank is room, and room is not everything

# %%
Markdown(
    says(
        "H-RANK-4",
        supported="The scaling rule is a second name for the learning rate",
        refuted="The scaling rule is more than a second name for the learning rate: tuning one does not replace the other",
        undecided="Whether the scaling rule is more than a second name for the learning rate is not settled",
        untested="Whether the scaling rule matters once the rate is tuned is not tested yet",
    )
    + f" (@sec-results-lora-rank; H-RANK-4 {badge('H-RANK-4')}). "
    + says(
        "H-CAPACITY-1",
        supported="With little to store rank does not matter",
        refuted="Rank matters even with little to store",
        undecided="Whether rank matters with little to store is not settled",
        untested="Whether rank matters with little to store is not tested yet",
    )
    + f" (@sec-results-capacity; H-CAPACITY-1 {badge('H-CAPACITY-1')}), "
    + says(
        "H-CAPACITY-2",
        supported="with much to store it decides",
        refuted="and with much to store it does not decide as we said",
        undecided="and whether it decides with much to store is open",
        untested="nor with much",
    )
    + f" (H-CAPACITY-2 {badge('H-CAPACITY-2')}). "
    + says(
        "H-MODULES-3",
        supported="Where the adapter sits matters less: the MLP alone does as well as all layers",
        refuted="Where the adapter sits matters as much: the MLP alone, praised elsewhere, does not do as well as all layers",
        undecided="Whether the MLP alone does as well as all layers is not settled",
        untested="Where the adapter should sit is not tested yet",
    )
    + f" (@sec-results-modules; H-MODULES-3 {badge('H-MODULES-3')}). Which rank and which place are questions to the task, "
    "not to the method."
)

# %% [markdown]
# ## Four bits

# %%
Markdown(
    says(
        "H-QLORA-1",
        supported="Four bits for the frozen weights cost no accuracy that we could see, once the adapter was trained",
        refuted="Four bits for the frozen weights cost accuracy even after training",
        undecided="Whether four bits for the frozen weights cost accuracy is not settled",
        untested="Whether four bits for the frozen weights cost accuracy is not tested yet",
    )
    + f" (@sec-results-qlora-basic; H-QLORA-1 {badge('H-QLORA-1')}). "
    + says(
        "H-QLORA-4",
        supported="They cost time",
        refuted="They do not cost the time that we had expected",
        undecided="Whether they cost time is open",
        untested="What they cost in time is not tested yet",
    )
    + f" (H-QLORA-4 {badge('H-QLORA-4')}). "
    + says(
        "H-QLORA-6",
        supported="What they save in memory could be worked out from shapes before a single step",
        refuted="What they save in memory could not be worked out from shapes as closely as we said",
        undecided="Whether what they save can be worked out from shapes is not settled",
        untested="Whether what they save can be worked out beforehand is not tested yet",
    )
    + f" (H-QLORA-6 {badge('H-QLORA-6')})."
)

# %% [markdown]
# ## Learning has a price, and it is paid first

# %%
Markdown(
    "At the rate that learns subtraction best an adapter loses "
    f"{value('learning_rate', 'forgetting', tuned=['learning_rate'])} of the old items, net and averaged over the four "
    "skills. "
    + says(
        "H-MINIMUM-1",
        supported="A visible part of that is gone after ten steps",
        refuted="Ten steps take less of it than we had claimed",
        undecided="How much of it ten steps take is not settled",
        untested="How soon it goes is not tested yet",
    )
    + f" (@sec-dynamics-minimum; H-MINIMUM-1 {badge('H-MINIMUM-1')}), "
    + says(
        "H-MINIMUM-2",
        supported="before anything is learned",
        refuted="but by then something is learned",
        undecided="whatever may be learned by then",
        untested="nor is how soon learning shows",
    )
    + f" (H-MINIMUM-2 {badge('H-MINIMUM-2')}). "
    + says(
        "H-FORGET-1",
        supported="At equal accuracy, with a little replay, LoRA forgets less than full fine-tuning",
        refuted="At equal accuracy, with a little replay, LoRA does not forget less than full fine-tuning as we had said",
        undecided="Whether LoRA forgets less at equal accuracy, with a little replay, is not settled",
        untested="Whether LoRA forgets less at equal accuracy is not tested yet",
    )
    + f" (@sec-results-forgetting; H-FORGET-1 {badge('H-FORGET-1')}), "
    + says(
        "H-FORGET-3",
        supported='but "LoRA always forgets less" is wrong: at some rates it forgets more',
        refuted='and the case that we had built against "LoRA always forgets less" does not stand',
        undecided='and whether "LoRA always forgets less" is wrong stays open',
        untested="nor is whether it always does",
    )
    + f" (H-FORGET-3 {badge('H-FORGET-3')}). "
    + says(
        "H-REPLAY-1",
        supported="A little replay of old items helps more than any choice between methods that we tried",
        refuted="A little replay of old items does not help as much as we had said",
        undecided="How much a little replay of old items helps is not settled",
        untested="What a little replay of old items buys is not tested yet",
    )
    + f" (H-REPLAY-1 {badge('H-REPLAY-1')})."
)

# %% [markdown]
# ## Reading a run

# %%
Markdown(
    says(
        "H-CURVES-1",
        supported="The shape of a loss curve can say that nothing is wrong",
        refuted="Rules on the shape of a loss curve raise alarms where nothing is wrong",
        undecided="Whether rules on the shape of a loss curve leave healthy runs in peace is not settled",
        untested="What the shape of a loss curve can tell is not tested yet",
    )
    + f" (@sec-results-loss-curves; H-CURVES-1 {badge('H-CURVES-1')}), "
    + says(
        "H-CURVES-5",
        supported="and can tell wrong labels from other faults",
        refuted="but does not tell wrong labels from other faults as we had said",
        undecided="and whether it can tell wrong labels is open",
        untested="wrong labels included",
    )
    + f" (H-CURVES-5 {badge('H-CURVES-5')}). Where a run ends is a different question from how: "
    + says(
        "H-LAND-1",
        supported="LoRA ends where the loss is more curved than where full fine-tuning ends",
        refuted="LoRA does not end where the loss is more curved, as we had guessed",
        undecided="whether LoRA ends where the loss is more curved is not settled",
        untested="whether LoRA ends where the loss is more curved is not tested yet",
    )
    + f" (@sec-results-training-dynamics; H-LAND-1 {badge('H-LAND-1')})."
)

# %% [markdown]
# ## What surprised us
#
# What we were wrong about, in the order of the ledger: every hypothesis of the track that its runs refute. Each was the
# honest guess of the day before, mostly from published work on far larger models. This list is the most useful one of
# the track.

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
decided = [one for one in judged if one.word in ("SUPPORTED", "REFUTED")]
open_ones = [one for one in judged if one.word == "UNDECIDED"]
if decided:
    right = wilson_interval(len(decided) - len(refuted), len(decided))
    guessed = (
        f"Of {len(decided)} hypotheses that came to a decision we had guessed {number(right.value, 'share')} right "
        f"(from {number(right.low, 'share')} to {number(right.high, 'share')}, as if they were independent, which those on "
        f"one experiment are not); {len(open_ones)} were run and stay undecided."
    )
else:
    guessed = "No hypothesis of the track has come to a decision yet."
Markdown(guessed)

# %% [markdown]
# A lab whose guesses are all right asks what it knows already; one whose guesses are a coin's toss has not read. Undecided
# is the most expensive word of the three: it costs as many runs as the others and says only how many more it would have
# taken, which is why each verdict box names that number.
#
# ## What we would do otherwise
#
# - **Choose the margin from a pilot's spread.** A claim of equality whose margin is narrower than what the seeds can show ends
#   undecided whatever the truth. @sec-learnings-dynamics has the numbers that we should have looked at first.
# - **Grade old skills from the first step on.** The last value of forgetting does not say when it happened. Curves of it are
#   what the first experiments lacked.
# - **Never sweep one thing alone.** Rank, rule, place, batch and rate act through each other: read @fig-results-full along a
#   vertical line, and every rate gives another order of the methods.
# - **Keep the base on hand, and small.** That every experiment starts from one model that trains in minutes is what made
#   hundreds of paired runs possible on a laptop. It is also the narrowest point of it all: one base, one seed of it.
# - **Own the few lines that matter.** An adapter written here, and held against a library by a test, could be looked into,
#   stacked and measured; a borrowed one could only be used.
#
# ## Where the track stands

# %%
progress("finetune")
