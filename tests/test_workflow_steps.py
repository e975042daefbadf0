"""Every step of the workflows, run in a clone of a small book as GitHub and GitLab run it.

Only what cannot be here is played: `gh`, `apt-get`, and the Makefile of the real book, whose tests
would run this one. Axe and the simulator's fit, which take long, have tests of their own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from gitlab_server import TOKEN, GitLab, serving
from small_book import ROOT, write_book

pytestmark = pytest.mark.long

MAKEFILE = """book:
\t.venv/bin/python -m snakemake --cores 1
test:
\ttrue
"""
PROGRAM = '#!/bin/sh\nPYTHONPATH=src exec "{python}" {arguments} "$@"\n'
FITTED = "*scoring.refit*) exit ;;"
GH = """#!/bin/sh
case "$1 $2" in
"run download")
    mkdir -p book/site book/build
    cp -R ../artifact/site/dev book/site
    cp ../artifact/build/changes.md book/build
    ;;
"pr comment") cp "$7" ../comment.md ;;
*) exit 1 ;;
esac
"""

GITHUB = {
    "github.token": "a token",
    "github.ref_name": "v1.0",
    "github.event.number": "7",
    "github.event.workflow_run.id": "5",
    "github.event.workflow_run.pull_requests[0].number": "7",
}


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)
    return done.stdout.decode().strip()


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the small book and the workflows of this one, and one change."""
    folder = tmp_path_factory.mktemp("workflows")
    git(folder, "init", "-q", "--bare", "-b", "main", "remote")
    book = write_book(folder / "source").root
    shutil.copytree(ROOT / ".ci", book / ".ci")
    (book / "Makefile").write_text(MAKEFILE)
    (book / ".gitignore").write_text("/.venv\n/build\n/site\n/.snakemake\n__pycache__\n")
    git(book, "init", "-q", "-b", "main")
    git(book, "remote", "add", "origin", "../remote")
    for message in ("The book", "A change"):
        (book / "change.txt").write_text(message)
        git(book, "add", "--all")
        git(book, "commit", "-q", "-m", message)
    git(book, "push", "-q", "origin", "main")
    executable(folder / "bin" / "gh", GH)
    executable(folder / "bin" / "apt-get", "#!/bin/sh\n")
    return folder / "remote"


def cloned(remote: Path, name: str) -> Path:
    clone = remote.parent / name
    git(remote.parent, "clone", "-q", str(remote), name)
    program = PROGRAM.format(python=sys.executable, arguments="-m llmlab")
    executable(clone / ".venv/bin/llmlab", program)
    python = PROGRAM.format(python=sys.executable, arguments="")
    fitted = f'#!/bin/sh\ncase "$*" in {FITTED} esac\n'
    executable(clone / ".venv/bin/python", python.replace("#!/bin/sh\n", fitted))
    return clone


def ran(script: str, clone: Path, variables: Mapping[str, str]) -> None:
    """Run a step as a runner does; it must succeed."""
    script = script.replace(" --accessibility", "")
    ours = {"PATH": f"{clone.parent / 'bin'}:{os.environ['PATH']}", "HOME": str(clone.parent)}
    ours["PYTHONDONTWRITEBYTECODE"] = ""  # many processes run the same sources, which nobody edits
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=clone,
        env=os.environ | ours | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def steps(workflow: str, job: str, context: Mapping[str, str]) -> Iterator[tuple[str, dict]]:
    """The scripts of a job, each with the variables that the workflow gives it."""
    path = ROOT / ".github" / "workflows" / f"{workflow}.yml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"][job]
    for step in declared["steps"]:
        if "run" in step:
            wanted = declared.get("env", {}) | step.get("env", {})
            known = {name: context[value.strip("${} ")] for name, value in wanted.items()}
            yield step["run"], known


@pytest.fixture(scope="module")
def checked(remote: Path) -> Path:
    """A clone in which ci.yml has checked the change; what the change does is in `summary.md`."""
    clone = cloned(remote, "artifact")
    base, summary = git(clone, "rev-parse", "HEAD~1"), remote.parent / "summary.md"
    for script, variables in steps("ci", "book", {"github.event.pull_request.base.sha": base}):
        ran(script, clone, variables | {"GITHUB_STEP_SUMMARY": str(summary)})
    return clone


def published(clone: Path) -> set[str]:
    """The folders of the branch that GitHub Pages shows."""
    git(clone, "fetch", "-q", "origin", "gh-pages")
    return set(git(clone, "ls-tree", "-d", "--name-only", "origin/gh-pages").split())


def test_a_change_is_previewed_published_and_closed_on_github(remote: Path, checked: Path) -> None:
    def run(clone: Path, workflow: str, job: str) -> None:
        sha = git(clone, "rev-parse", "HEAD")
        for script, variables in steps(workflow, job, GITHUB):
            ran(script, clone, variables | {"GITHUB_SHA": sha})

    said = (remote.parent / "summary.md").read_text()
    assert "No verdict and no table differs" in said
    run(cloned(remote, "shown"), "preview", "show")
    assert published(checked) == {"pr-7"}
    assert (remote.parent / "comment.md").read_text() == said
    shutil.rmtree(checked / "site")
    run(checked, "publish", "pages")
    assert published(checked) == {"pr-7", "dev", "1.0"}
    run(cloned(remote, "closed"), "preview", "remove")
    assert published(checked) == {"dev", "1.0"}


def test_a_change_and_a_version_are_built_and_published_on_gitlab(
    remote: Path, checked: Path
) -> None:
    clone = shutil.copytree(checked, remote.parent / "gitlab")  # built, as old as its files
    shutil.rmtree(clone / "site")
    jobs = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    with serving() as api:
        notes = f"{api}/projects/7/merge_requests/3/notes"
        service = {
            "CI_API_V4_URL": api, "CI_PROJECT_ID": "7", "CI_JOB_TOKEN": TOKEN, "NOTES": notes,
            "CI_MERGE_REQUEST_IID": "3", "PREVIEW_TOKEN": TOKEN, "CI_COMMIT_TAG": "v1.0",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(clone, "rev-parse", "HEAD~1"),
        }  # fmt: skip
        for job in ("book", "preview", "remove", "pages"):
            ran("\n".join(jobs[job]["script"]), clone, service)
        kept = {path.rsplit("/", 2)[-2] for path in GitLab.kept if path.endswith("book.tar.gz")}
        (comment,) = (text for path, text in GitLab.kept.items() if path.endswith("/notes"))
    assert kept == {"1.0"}
    assert b"What this changes in the book" in comment
    found = {path.name for path in (clone / "public").iterdir()}
    assert found == {"dev", "1.0", "index.html", "versions.json"}
