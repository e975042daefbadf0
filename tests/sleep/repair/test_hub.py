"""Any model of transformers repairs koans: a tiny one, made here, through the whole loop."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llmlab.method.errors import LabError
from llmlab.sleep.koans.generated import generate
from llmlab.sleep.koans.verdict import Verdict
from llmlab.sleep.repair.hub import HubClient, open_hub_client
from llmlab.sleep.repair.loop import Setting, attempt
from llmlab.sleep.repair.task import Task
from llmlab.sleep.sandbox.sandbox import Unguarded

TASK = Task("python", "def f(n):\n    return total\n", Verdict("test", "NameError", 2, "total"))
CONTEXT = 2048


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights whose tokens are bytes."""
    found = tmp_path_factory.mktemp("tiny")
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({sign: n for n, sign in enumerate([*signs, "<end>"])}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>").save_pretrained(found)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(signs) + 1,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=len(signs),
    )
    LlamaForCausalLM(shape).save_pretrained(found)
    return found


def opened(folder: Path, temperature: float = 0.0, seed: int = 0) -> HubClient:
    client = open_hub_client(f"hf:{folder}", temperature, seed)
    return HubClient(client.base, temperature, seed, most_tokens=8)


def test_an_answer_counts_its_tokens_and_comes_again(folder: Path) -> None:
    first, second = (opened(folder).answer([TASK], 0)[0] for _ in range(2))
    assert (first.text, first.failure) == (second.text, "")
    assert 0 < first.tokens <= 8 < first.prompt_tokens
    assert first.seconds > 0


def test_drawn_answers_differ_by_turn_and_come_again_by_seed(folder: Path) -> None:
    client = opened(folder, temperature=2.0, seed=1)
    texts = [client.answer([TASK], turn)[0].text for turn in (0, 1, 0)]
    assert texts[0] == texts[2] != texts[1]


def test_a_question_beyond_the_context_is_a_failed_answer(folder: Path) -> None:
    long = Task("python", "cost = 1\n" * 300, TASK.verdict)
    (answer,) = opened(folder).answer([long], 0)
    assert answer.text == ""
    assert "tokens, not" in answer.failure


def test_a_model_that_babbles_goes_through_the_loop(folder: Path) -> None:
    koans = generate("python", "test", 2, seed=0)
    episodes = attempt(koans, opened(folder), Unguarded(), Setting(turns=2))
    assert [len(each.turns) for each in episodes] == [2, 2]
    assert {turn.outcome for each in episodes for turn in each.turns} == {"no edit"}


def test_a_folder_without_a_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no model"):
        open_hub_client(f"hf:{tmp_path}")
