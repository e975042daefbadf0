import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from llmlab.book.press.contents import read_contents
from llmlab.book.publish import release as releasing
from llmlab.book.publish.bundle import ARCHIVE, CITATION, Release, citation, citation_of_any
from llmlab.book.publish.release import release
from llmlab.method.errors import LabError
from llmlab.method.project import Project
from tests.book.repository import git

MANIFEST = {
    "experiment": "toy",
    "scale": "laptop",
    "fingerprint": {"code": {}},
    "git_commit": "0" * 40,
    "finished": "2026-01-31T10:00:00Z",
    "rows": 1,
    "sha256": {"runs.csv": "0" * 64},
}


@pytest.fixture
def project(executed_sample: Project, tmp_path: Path) -> Project:
    """An executed book that is committed."""
    root = tmp_path / "book"
    shutil.copytree(executed_sample.root, root, ignore=shutil.ignore_patterns("site"))
    (root / ".gitignore").write_text("build\nsite\n__pycache__\n")
    table = root / "results" / "laptop" / "toy"
    table.mkdir(parents=True)
    (table / "runs.csv").write_text("run_id\n1\n")
    (table / "manifest.json").write_text(json.dumps(MANIFEST))
    git(root, "init", "-q")
    git(root, "add", "--all")
    git(root, "commit", "-m", "The book")
    return Project(root)


def test_a_version_stands_beside_the_others_with_its_evidence_and_stays(project: Project) -> None:
    done = release(project, "1.0", "preview")
    assert (done.folder, done.is_tagged) == (project.site / "1.0", False)
    assert (done.folder / "index.html").is_file()
    assert json.loads((project.site / "versions.json").read_text()) == ["1.0"]
    citation = yaml.safe_load((done.folder / "CITATION.cff").read_text())
    assert (citation["cff-version"], citation["version"]) == ("1.2.0", "1.0")
    zenodo = json.loads((done.folder / ".zenodo.json").read_text())
    assert zenodo["upload_type"] == "dataset"
    crate = json.loads((done.folder / "ro-crate-metadata.json").read_text())
    assert crate["@context"].startswith("https://w3id.org/ro/crate/1.")
    inside = set(zipfile.ZipFile(done.folder / ARCHIVE).namelist())
    assert {"results/laptop/toy/runs.csv", "results/laptop/toy/manifest.json"} <= inside
    assert {"CITATION.cff", ".zenodo.json", "ro-crate-metadata.json"} <= inside
    described = {part["@id"]: part for part in crate["@graph"]}
    table, root = described["results/laptop/toy/runs.csv"], described["./"]
    assert (table["sha256"], table["encodingFormat"]) == ("0" * 64, "text/csv")
    assert all(root[key]["@id"] in described for key in ("license", "creator"))
    assert {"name", "description", "datePublished", "hasPart"} <= root.keys()
    with pytest.raises(LabError, match="published version never changes"):
        release(project, "1.0", "preview")


def test_the_repository_says_how_to_cite_the_book() -> None:
    project = Project.find()
    said = yaml.safe_load((project.root / CITATION).read_text())
    assert said == citation_of_any(read_contents(project))


def test_the_citation_of_a_version_has_the_form_of_its_standard(project: Project) -> None:
    tool = shutil.which("check-jsonschema")
    if tool is None:
        pytest.skip("check-jsonschema is not installed")
    released = Release("1.0", "0" * 40, "2026-01-31T10:00:00Z", read_contents(project), ())
    (project.root / CITATION).write_text(citation(released), encoding="utf-8")
    done = subprocess.run(
        [tool, "--builtin-schema", "vendor.citation-file-format", CITATION],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_what_is_not_committed_is_not_released(project: Project) -> None:
    (project.root / "new.txt").write_text("new")
    with pytest.raises(LabError, match="differs from its commit"):
        release(project, "1.0", "preview")
    assert not project.site.exists()


def test_a_tag_of_another_commit_is_not_moved(project: Project) -> None:
    git(project.root, "tag", "v1.0")
    git(project.root, "commit", "--allow-empty", "-m", "more")
    with pytest.raises(LabError, match="tag of another commit"):
        release(project, "1.0", "preview")


def test_nothing_is_left_of_a_version_that_is_too_large(project: Project, monkeypatch) -> None:
    monkeypatch.setattr(releasing, "LARGEST_MB", 0.001)
    with pytest.raises(LabError, match=r"more than the limit of 0\.001"):
        release(project, "1.0", "preview")
    assert not (project.site / "1.0").exists()
    assert "1.0" not in (project.site / "versions.json").read_text()


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ((25.1, 6.0, 50.0), "version 1.0 takes 25.1 MB"),
        ((25.0, 6.1, 50.0), "the PDF of version 1.0 takes 6.1 MB"),
        ((25.0, 6.0, 50.1), "the files of the commit take 50.1 MB"),
    ],
)
def test_what_is_too_large_is_named(sizes: tuple[float, float, float], what: str) -> None:
    with pytest.raises(LabError, match=what):
        releasing._bounded(releasing.Released(Path("site/1.0"), *sizes, is_tagged=True))
