"""The inputs of each part of the book, as the Snakefile asks for them.

Snakemake compares inputs by their times. Those change too often for code (with a comment) and say
nothing about evidence that the build may show but must never compute. So these go into a digest,
and the digest into a file in `build/digests/` that is written only when it changes. Snakemake's own
memory of parameters would not do: it forgets whatever was made by hand, by `llmlab run`.

Paths are relative to the root of the project.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path

from llmlab.book.press.contents import ASSETS, CONFIG, read_contents
from llmlab.book.press.sources import Inputs, code_of, inputs_of
from llmlab.book.versions.tags import former_version
from llmlab.book.views import widgets
from llmlab.book.views.kinds import kinds
from llmlab.method.declare.catalog import catalog, check_scale, load_experiment
from llmlab.method.declare.experiment import SCALES, Experiment
from llmlab.method.evidence.fingerprint import fingerprint
from llmlab.method.evidence.manifest import MANIFEST, read_manifest
from llmlab.method.evidence.modules import (
    SOURCE,
    Module,
    closure,
    closure_of,
    find_module,
    imports_of_file,
    source_digest,
)
from llmlab.method.evidence.reach import still_source
from llmlab.method.judging.ledger import FILES, load_ledger
from llmlab.method.judging.registration import History, read_history
from llmlab.method.project import Project
from llmlab.method.running.plan import runs_together
from llmlab.method.running.shards import seed_ranges

KINDS = "llmlab.book.views.kinds"

BUILT = "smoke"
"""The scale that every build computes; larger ones are shown, never started."""


class Graph:
    """The parts of one project's book, read at once, so that a mistake stops the build first.

    Attributes:
        digests: by experiment and scale; changes when its tables must be computed again.
        shown: by chapter, the experiments whose evidence or verdicts it shows.

    Raises:
        LabError: an experiment, the ledger, a chapter or the contents has a mistake.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._code: dict[tuple[Module, ...], str] = {}
        self.experiments = catalog()
        with still_source():
            self.digests = _digests_of(self.experiments)
        self.ledger = load_ledger(project)
        self.contents = read_contents(project)
        self.chapters = {chapter.name: chapter for chapter in self.contents.chapters}
        self.inputs = {name: inputs_of(chapter.source) for name, chapter in self.chapters.items()}
        self.shown = {name: self._shown(inputs) for name, inputs in self.inputs.items()}

    def manifests(self, scale: str, names: Iterable[str] | None = None) -> list[str]:
        """What these experiments (default: all that have a budget for it) leave at `scale`.

        Raises:
            LabError: there is no such scale.
        """
        check_scale(scale)
        return [
            self._relative(self.project.fresh(scale, name) / MANIFEST)
            for name in (self.experiments if names is None else names)
            if (name, scale) in self.digests
        ]

    def experiment_inputs(self, experiment: str, scale: str) -> list[str]:
        """The experiments that one waits for, and the digest of its code and budget."""
        needs = self.manifests(scale, load_experiment(experiment).needs)
        return [*needs, self._stamp(f"{scale}/{experiment}", self.digests[experiment, scale])]

    def shards(self, experiment: str, scale: str, n_shards: int) -> list[str]:
        """Folders of the shards of an experiment's seeds, each for a job; none for a single one."""
        if n_shards == 1:
            return []
        seeds = self.experiments[experiment].budgets[scale].seeds
        return [f"build/shards/{scale}/{experiment}/{one}" for one in seed_ranges(seeds, n_shards)]

    def minutes(self, experiment: str, scale: str) -> int:
        """Minutes to ask a scheduler for: three times those of the recorded runs, 60 for want."""
        folder = self.project.recorded(scale, experiment)
        if not (folder / MANIFEST).is_file():
            return 60
        manifest = read_manifest(folder)
        began, ended = map(datetime.fromisoformat, (manifest.started, manifest.finished))
        return max(10, math.ceil(3 * (ended - began).total_seconds() / 60))

    def threads(self, scale: str, cores: int) -> int:
        """Of the cores, those that one experiment takes.

        A smoke run takes less time than loading its libraries does, so that experiments of one
        process each, side by side, take half the time of one after the other.
        """
        return 1 if scale == BUILT else cores

    def workers(self, scale: str) -> str:
        """The option of `llmlab run` that goes with `threads`."""
        return "--workers 1" if scale == BUILT else ""

    def chapter_inputs(self, chapter: str) -> list[str]:
        """The files that the code of a chapter reads, and the digest of all else that it shows.

        Its text is put around its outputs when the book is rendered (`notebooks.refresh`).
        """
        shown, inputs = self.shown[chapter], self.inputs[chapter]
        named = [self.project.root / path for path in sorted(inputs.paths)]
        files = [path for path in named if path.is_file()]
        files += [path for name in shown for path in self._recorded[name]]
        files += [self.project.ledger / name for name in FILES.values()] if _judges(inputs) else []
        files += [path for path in self._kept if path.is_file()] if _judges(inputs) else []
        return [
            *(self._relative(path) for path in files),
            *self.manifests(BUILT, shown),
            self._stamp(f"chapters/{chapter}", self._chapter_digest(chapter)),
        ]

    def book_inputs(self) -> list[str]:
        """Scripts, notebooks, all files that a renderer reads, and the digest of what renders."""
        beside = [
            path
            for path in _files(self.project.chapters)
            if path.suffix not in (".py", ".pyc") and self.project.ledger not in path.parents
        ]
        chapters = [path for ch in self.chapters.values() for path in (ch.source, ch.notebook)]
        files = [
            self.project.root / CONFIG,
            *beside,
            *_files(ASSETS),
            *_files(widgets.ASSETS),
            *chapters,
        ]
        digest = _hash([_book_digest(), self._former])
        return [*(self._relative(path) for path in files), self._stamp("book", digest)]

    def reproduction_inputs(self) -> list[str]:
        """The fresh and the recorded tables that are compared, and the digest of what compares."""
        recorded = [
            path for name in self.experiments for path in _files(self.project.recorded(BUILT, name))
        ]
        recorded += [path for path in self._kept if path.is_file()]
        digests = [self.digests.get((name, BUILT)) for name in self.experiments]
        code = _digests(
            closure("llmlab.method.evidence.reproduction") | closure("llmlab.method.console")
        )
        return [
            *self.manifests(BUILT),
            *(self._relative(path) for path in recorded),
            self._stamp("reproduction", _hash([code, digests])),
        ]

    def _chapter_digest(self, chapter: str) -> str:
        """Changes with the code that a chapter runs and with what it says beside its tables."""
        source = self.chapters[chapter].source
        inputs = self.inputs[chapter]
        return _hash(
            {
                "cells": code_of(source),
                "code": self._code_digest(source),
                "experiments": {name: self._described[name] for name in self.shown[chapter]},
                "history": self._registrations(chapter) if _judges(inputs) else None,
                "gates": self._gates if inputs.everything else None,
                "former": self._former if inputs.versions else None,
            }
        )

    def _shown(self, inputs: Inputs) -> list[str]:
        """A verdict is corrected within its family, so it shows the experiments of them all."""
        if inputs.everything:
            return list(self.experiments)
        families = {self.ledger.hypothesis(name).family for name in inputs.hypotheses}
        judged = {one.experiment for one in self.ledger.hypotheses if one.family in families}
        named = {load_experiment(name).name for name in inputs.experiments}
        return sorted(named | judged)

    @property
    def _kept(self) -> list[Path]:
        """Former verdicts, and what machines were measured to differ by."""
        return [self.project.root / "results" / name for name in ("verdicts.csv", "drift.csv")]

    @cached_property
    def _recorded(self) -> dict[str, list[Path]]:
        """The committed tables of each experiment."""
        return {
            name: [path for scale in SCALES for path in _files(self.project.recorded(scale, name))]
            for name in self.experiments
        }

    @cached_property
    def _described(self) -> dict[str, list[object]]:
        """What a page says of each experiment: its prose, its age, results of larger scales."""
        return {name: self._description(name) for name in self.experiments}

    def _description(self, name: str) -> list[object]:
        module = find_module(SOURCE, f"llmlab.experiments.{name}")
        larger = [self.project.fresh(scale, name) / MANIFEST for scale in SCALES if scale != BUILT]
        return [
            source_digest(module),
            [self.digests.get((name, scale)) for scale in SCALES],
            [path.name for path in self._recorded[name]],
            [
                path.read_text(encoding="utf-8", errors="replace")
                for path in larger
                if path.is_file()
            ],
        ]

    def _registrations(self, chapter: str) -> list[str]:
        """The commits that decide whether the hypotheses on a page came before their results."""
        if self._history is None:
            return []
        inputs = self.inputs[chapter]
        names = (
            [hypothesis.id for hypothesis in self.ledger.hypotheses]
            if inputs.everything
            else sorted(inputs.hypotheses)
        )
        results = [(scale, name) for scale in SCALES for name in self.shown[chapter]]
        return [
            *(str(self._history.registered.get(name)) for name in names),
            *(str(self._history.results.get(result)) for result in results),
        ]

    def _code_digest(self, source: Path) -> str:
        """Changes with the modules that a chapter runs; most chapters run the same."""
        imported = imports_of_file(source)
        if imported not in self._code:
            code = closure_of(imported)
            if KINDS in code:  # they are imported by computed names
                code |= self._kinds
            self._code[imported] = _hash(_digests(code))
        return self._code[imported]

    @cached_property
    def _kinds(self) -> dict[str, Path]:
        """The modules of all kinds of views."""
        return {name: path for kind in kinds() for name, path in closure(f"{KINDS}.{kind}").items()}

    @cached_property
    def _former(self) -> str:
        """The version before what is checked out."""
        return str(former_version(self.project.root))

    @cached_property
    def _history(self) -> History | None:
        return read_history(self.project)

    @cached_property
    def _gates(self) -> list[str]:
        """The files that are there, of those that the features of a track may wait for."""
        folders = [self.project.root / "src", self.project.root / "tests", self.project.chapters]
        code = [path for folder in folders for path in _files(folder) if path.suffix == ".py"]
        promised = {
            self.project.root / path
            for track in self.ledger.tracks
            for phase in track.phases
            for feature in phase.features
            for path in feature.files
        }
        return [self._relative(path) for path in [*code, *sorted(promised)] if path.exists()]

    def _stamp(self, name: str, digest: str) -> str:
        """A file that is as old as its digest."""
        path = self.project.build / "digests" / name
        if not path.is_file() or path.read_bytes() != digest.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(digest.encode())
        return self._relative(path)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.project.root)


def _digests_of(experiments: Mapping[str, Experiment]) -> dict[tuple[str, str], str]:
    return {
        (name, scale): fingerprint(experiment, scale, together=runs_together(experiment)).digest
        for name, experiment in experiments.items()
        for scale in SCALES
        if scale in experiment.budgets
    }


def _book_digest() -> str:
    """Changes with the code that renders, and with the renderer."""
    return _hash([_digests(closure("llmlab.book.press.render")), shutil.which("quarto")])


def _digests(code: Mapping[str, Path]) -> dict[str, str]:
    return {module: source_digest(path) for module, path in code.items()}


def _judges(inputs: Inputs) -> bool:
    """Whether a chapter reads the ledger."""
    return bool(inputs.hypotheses) or inputs.everything


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
