"""The inputs of each part of the book, for the Snakefile.

Snakemake compares inputs by modification time. For code, times change too often (with every
comment), and for evidence that the build may show but must never compute, they say nothing. These
inputs are therefore hashed, and the digest is written to a file in `build/digests/` only when it
changes. Snakemake's own record of parameters does not suffice: it does not cover tables made by
hand with `llmlab run`.

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
from pkgutil import iter_modules

from llmlab.book.press.contents import ASSETS, CONFIG, read_contents
from llmlab.book.press.sources import Inputs, code_of, inputs_of
from llmlab.book.versions.tags import former_version
from llmlab.method.declare.catalog import catalog, check_scale, load_experiment
from llmlab.method.declare.experiment import SCALES, Experiment
from llmlab.method.declare.sweep import Sweep
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
from llmlab.method.judging.ledger import FILES
from llmlab.method.judging.ledger_files import load_ledger
from llmlab.method.judging.registration import History, read_history
from llmlab.method.project import Project
from llmlab.method.running.packing import SUFFIX
from llmlab.method.running.plan import runs_together
from llmlab.method.running.shards import seed_ranges

KINDS = "llmlab.book.views.kinds"
VIEWS = SOURCE.joinpath("llmlab", "book", "views")
"""Looked into, not imported, since that loads matplotlib and pandas."""

BUILT = "smoke"
"""The scale that every build computes; larger scales are shown but never started."""


class Graph:
    """The parts of one project's book, all read first, so that a mistake stops the build early.

    Attributes:
        digests: by experiment and scale; each changes when its tables must be computed again.
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
        """The manifests of these experiments at `scale` (default: all with a budget for it).

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
        """The manifests of needed experiments, and the digest of its own code and budget."""
        needs = self.manifests(scale, load_experiment(experiment).needs)
        return [*needs, self._stamp(f"{scale}/{experiment}", self.digests[experiment, scale])]

    def shards(self, experiment: str, scale: str, n_shards: int) -> list[str]:
        """The folders of an experiment's shards of seeds, one per job; none for a single job."""
        if n_shards == 1:
            return []
        seeds = self.experiments[experiment].budgets[scale].seeds
        return [f"build/shards/{scale}/{experiment}/{one}" for one in seed_ranges(seeds, n_shards)]

    def pack(self, experiment: str, scale: str, seeds: str = "all") -> str:
        """The pack of an experiment's results, named by all that they depend on."""
        digest = self._portable[experiment, scale]
        return f"build/packs/{scale}/{experiment}/{digest[:12]}/{seeds}{SUFFIX}"

    def pack_inputs(self, experiment: str, scale: str, seeds: str, n_shards: int) -> list[str]:
        """The packs of needed experiments and, for all seeds, those of the shards of seeds."""
        needed = [self.pack(name, scale) for name in load_experiment(experiment).needs]
        if seeds != "all" or n_shards == 1:
            return needed
        ranges = seed_ranges(self.experiments[experiment].budgets[scale].seeds, n_shards)
        return needed + [self.pack(experiment, scale, one) for one in ranges]

    def minutes(self, experiment: str, scale: str) -> int:
        """Minutes to request from a scheduler: three times the recorded time, or 60 if unknown."""
        folder = self.project.recorded(scale, experiment)
        if not (folder / MANIFEST).is_file():
            return 60
        manifest = read_manifest(folder)
        began, ended = map(datetime.fromisoformat, (manifest.started, manifest.finished))
        return max(10, math.ceil(3 * (ended - began).total_seconds() / 60))

    def threads(self, scale: str, cores: int) -> int:
        """The number of cores that one experiment takes.

        A smoke run takes less time than loading its libraries, so running experiments in parallel
        with one process each takes half the time of one after another with all cores.
        """
        return 1 if scale == BUILT else cores

    def workers(self, scale: str) -> str:
        """The option of `llmlab run` that matches `threads`."""
        return "--workers 1" if scale == BUILT else ""

    def chapter_inputs(self, chapter: str) -> list[str]:
        """The files that a chapter's code reads, and the digest of everything else it shows.

        Its text is not an input: rendering combines it with the outputs (`notebooks.refresh`).
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
        """Scripts, notebooks, all other files that a renderer reads, and the renderer's digest."""
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
            *_files(VIEWS / "assets"),
            *chapters,
        ]
        digest = _hash([_book_digest(), self._former])
        return [*(self._relative(path) for path in files), self._stamp("book", digest)]

    def reproduction_inputs(self) -> list[str]:
        """The fresh and recorded tables to compare, and the digest of the comparing code."""
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
        """Digest of the code that a chapter runs and of what it shows besides tables."""
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
        """The experiments that a chapter shows; a verdict shows those of its whole family."""
        if inputs.everything:
            return list(self.experiments)
        families = {self.ledger.hypothesis(name).family for name in inputs.hypotheses}
        judged = {one.experiment for one in self.ledger.hypotheses if one.family in families}
        named = {load_experiment(name).name for name in inputs.experiments}
        return sorted(named | judged)

    @property
    def _kept(self) -> list[Path]:
        """The files of former verdicts and of measured differences between machines."""
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
        """What a page shows of each experiment: its prose, its age, results of larger scales."""
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
        """The commits that show whether the hypotheses on a page precede their results."""
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
        kinds = [f"{KINDS}.{module.name}" for module in iter_modules([str(VIEWS / "kinds")])]
        return {name: path for kind in kinds for name, path in closure(kind).items()}

    @cached_property
    def _portable(self) -> dict[tuple[str, str], str]:
        """Digests as in `digests`, but the same on machines with and without a GPU."""
        with still_source():
            return {key: self._digest_of_both_ways(*key) for key in self.digests}

    def _digest_of_both_ways(self, experiment: str, scale: str) -> str:
        declared = self.experiments[experiment]
        ways = (False, True) if isinstance(declared, Sweep) else (False,)
        return _hash([fingerprint(declared, scale, together=way).digest for way in ways])

    @cached_property
    def _former(self) -> str:
        """The version before the checked-out commit."""
        return str(former_version(self.project.root))

    @cached_property
    def _history(self) -> History | None:
        return read_history(self.project)

    @cached_property
    def _gates(self) -> list[str]:
        """The existing files among those that features of a track may wait for."""
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
        """Write a digest to a file, only if it changed; returns the file's path."""
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
    """Digest of the rendering code and of the renderer's path."""
    return _hash([_digests(closure("llmlab.book.press.render")), shutil.which("quarto")])


def _digests(code: Mapping[str, Path]) -> dict[str, str]:
    return {module: source_digest(path) for module, path in code.items()}


def _judges(inputs: Inputs) -> bool:
    """Whether a chapter reads the ledger."""
    return bool(inputs.hypotheses) or inputs.everything


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
