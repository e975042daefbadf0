"""Weights as a run of the base model would leave them."""

from dataclasses import replace
from pathlib import Path

from llmlab.method.checksums import checksums
from llmlab.method.evidence.manifest import read_manifest, write_manifest

RECORDED = Path(__file__).parents[1] / "results" / "smoke" / "base_model"


def vouch(kept: Path) -> None:
    """Write the manifest of the run that kept these files, `<scale>/base_model/kept`."""
    folder = kept.parent
    scale = folder.parent.name
    command = f"llmlab run base_model --scale {scale}"
    recorded = read_manifest(RECORDED)
    write_manifest(folder, replace(recorded, scale=scale, command=command, kept=checksums(kept)))
