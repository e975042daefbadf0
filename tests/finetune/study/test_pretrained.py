import pytest

from llmlab.finetune.model.methods import Full
from llmlab.finetune.study.pretrained import UNTRAINED, fact_rows, opened, teach
from llmlab.finetune.tasks.skills import new_facts
from llmlab.gpt.model import IGNORE
from llmlab.gpt.training import TrainConfig


def test_facts_are_learned_and_only_their_answers_count() -> None:
    facts = new_facts(4)
    with opened(UNTRAINED) as base:
        counted = (fact_rows(facts, base.tokenizer).targets_NT != IGNORE).sum().item()
        assert counted == sum(len(base.tokenizer.encode_prompt(fact.answer)) + 1 for fact in facts)
        config = TrainConfig(learning_rate=1e-2, steps=40)
        taught = teach(base, facts, Full(), config, batch_size=4, seed=0, text_NT=(2, 32))
    first, *_, last = taught.history.points
    assert last.loss < first.loss - 1
    assert taught.answers.loss == pytest.approx(last.loss, abs=1)
    assert taught.forgetting > 0.1
