from pathlib import Path

import pytest
import torch

from llmlab.method.errors import LabError

CPU = torch.device("cpu")


BAD = {
    "there is no method 'lorra' (did you mean 'lora'?)": {"method": "lorra"},
    "there is no precision 'float23'": {"precision": "float23"},
    "there is no scaling 'alpha'": {"scaling": "alpha"},
    "full fine-tuning has no adapter and so no --rank": {"method": "full", "rank": 8},
    "no --target-modules: leave it out": {"method": "full", "target_modules": "qkv"},
    "leave out --double-quantisation": {"method": "lora", "double_quantisation": True},
    "leave out --single-quantisation": {"method": "full", "double_quantisation": False},
    "--steps and --epochs both say": {"steps": 3, "epochs": 1.0},
    "0 epochs train nothing": {"epochs": 0.0},
    "nan epochs train nothing": {"epochs": float("nan")},
    "1e+300 epochs train nothing, or for ever": {"epochs": 1e300},
    "--learning-rate 0 learns nothing": {"learning_rate": 0.0},
    "--learning-rate nan learns nothing": {"learning_rate": float("nan")},
    "--alpha -1 learns nothing": {"alpha": -1.0},
    "cannot replay the share 1": {"replay": 1.0},
    "of 32 examples a share of 0.01 is 0": {"replay": 0.01},
    "--pack fills rows": {"replay": 0.2, "pack": True},
    "there is no skill 'subtract' (did you mean 'subtraction'?)": {"data": "skills:subtract"},
    "there is no base 'mikro' (did you mean 'micro'?)": {"base": "mikro"},
}


@pytest.mark.parametrize(("sentence", "options"), BAD.items(), ids=list(BAD))
def test_bad_options(sentence: str, options: dict, opened) -> None:
    with pytest.raises(LabError) as raised:
        opened(**options)
    assert sentence in str(raised.value)
    assert not Path("runs").exists()
