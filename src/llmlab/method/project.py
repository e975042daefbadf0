"""The folders of one checkout of the book."""

from dataclasses import dataclass
from pathlib import Path

from llmlab.method.errors import LabError

MARKER = Path("chapters") / "hypotheses"


@dataclass(frozen=True)
class Project:
    """The folders of the book below one root."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> "Project":
        """Find the project that contains `start` (default: the working directory).

        Raises:
            LabError: neither `start` nor any parent folder holds `chapters/hypotheses`.
        """
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / MARKER).is_dir():
                return cls(folder)
        raise LabError(
            f"{here} is not inside a lab book: neither it nor any parent folder holds {MARKER}; "
            "change into the checkout and try again."
        )

    @property
    def ledger(self) -> Path:
        return self.root / "chapters" / "hypotheses"

    @property
    def chapters(self) -> Path:
        return self.root / "chapters"

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def site(self) -> Path:
        return self.root / "site"

    def fresh(self, scale: str, experiment: str) -> Path:
        """Folder of the tables that this machine computed."""
        return self.build / "results" / scale / experiment

    def recorded(self, scale: str, experiment: str) -> Path:
        """Folder of the committed evidence."""
        return self.root / "results" / scale / experiment
