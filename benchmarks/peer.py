"""The peers for comparison: models and Trainer of `transformers`, LoRA of `peft`."""

import time
import warnings
from collections.abc import Iterator
from itertools import islice
from tempfile import TemporaryDirectory

import torch

from llmlab.finetune.model.lora import LoraSpec
from llmlab.gpt.model import GPTConfig
from llmlab.gpt.training import Batch, best_device


def peer(shape: GPTConfig, *, use_cache: bool = False):
    """A GPT2LMHeadModel with random weights and no dropout, as its documentation makes one."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=shape.vocab_size,
        n_positions=shape.context,
        n_embd=shape.d_model,
        n_layer=shape.n_layers,
        n_head=shape.n_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        use_cache=use_cache,
        bos_token_id=None,
        eos_token_id=None,
        loss_type="ForCausalLM",
    )
    return GPT2LMHeadModel(config).to(best_device())


def llama_1b():
    """A randomly initialised Llama of 1.1 billion parameters, the shape of TinyLlama's, in bf16."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=22,
        num_attention_heads=32,
        num_key_value_heads=4,
        use_cache=False,
    )
    with torch.device(best_device()):
        return LlamaForCausalLM(config).to(torch.bfloat16)


def four_bit(model):
    """`model` loaded anew in NF4 with double quantisation, as the documentation does it."""
    from peft import prepare_model_for_kbit_training
    from transformers import BitsAndBytesConfig

    on_gpu = best_device().type == "cuda"
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if on_gpu else torch.float32,
    )
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        places = {"": best_device()}
        small = type(model).from_pretrained(folder, quantization_config=config, device_map=places)
    return prepare_model_for_kbit_training(small, use_gradient_checkpointing=False)


def with_lora(model, spec: LoraSpec):
    """`model` with the adapter of `peft` on the layers that `spec` adapts in ours."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        use_rslora=spec.scaling == "rslora",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # of GPT-2's transposed weights, which it then minds by itself
        warnings.simplefilter("ignore")
        return get_peft_model(model, config)


def train_with_trainer(
    model, batches: Iterator[Batch], steps: int, learning_rate: float = 1e-3
) -> list[float]:
    """Train with the Trainer of `transformers`, its defaults but for the schedule.

    Returns:
        The time at the end of each step, by `time.perf_counter`.
    """
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *_: object, **__: object) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())

    class Rows(torch.utils.data.IterableDataset):
        """The rows of the batches, one by one, in their order."""

        def __iter__(self):
            for inputs_BT, _ in islice(batches, steps):
                for row_T in inputs_BT.cpu():
                    yield {"input_ids": row_T, "labels": row_T}

    first_BT, _ = next(batches)
    clock, on_gpu = Clock(), best_device().type == "cuda"
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=len(first_BT),
            learning_rate=learning_rate,
            lr_scheduler_type="cosine",
            bf16=on_gpu,
            use_cpu=not on_gpu,
            dataloader_pin_memory=on_gpu,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        Trainer(model, arguments, train_dataset=Rows(), callbacks=[clock]).train()
    return clock.times
