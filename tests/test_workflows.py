"""What runs on GitHub and GitLab, as far as it can be tried here."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from gitlab_server import TOKEN, serving

ROOT = Path(__file__).parent.parent
GITLAB = ROOT / ".gitlab-ci.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FROM_OUTSIDE = re.compile(r"\$\{\{")


def loaded(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> Iterator[dict]:
    for job in loaded(path)["jobs"].values():
        yield from job["steps"]


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-workflows", WORKFLOWS), ("gitlab-ci", [GITLAB])],
)
def test_they_have_the_form_that_their_readers_publish(schema: str, files: list[Path]) -> None:
    tool = shutil.which("check-jsonschema")
    if tool is None:
        pytest.skip("check-jsonschema is not installed")
    done = subprocess.run(
        [tool, "--builtin-schema", f"vendor.{schema}", *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_by_a_commit_and_says_its_version() -> None:
    lines = [
        line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line
    ]
    assert lines
    for line in lines:
        assert re.search(r"uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_no_text_from_outside_is_put_into_a_script() -> None:
    scripts = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    assert len(scripts) > 8
    assert not [script for script in scripts if FROM_OUTSIDE.search(script)]


def test_code_of_a_change_runs_without_a_right_to_write() -> None:
    workflows = {path.stem: loaded(path) for path in WORKFLOWS}
    assert workflows["ci"]["permissions"] == {"contents": "read"}
    assert workflows["preview"]["permissions"] == workflows["publish"]["permissions"] == {}
    # YAML reads `on` as true
    assert set(workflows["publish"][True]) == {"push"}
    for step in steps(ROOT / ".github/workflows/preview.yml"):
        assert "run" not in step or step["run"].startswith((".ci/pages ", "gh "))
    for job in workflows["preview"]["jobs"].values():
        assert "full_name == github.repository" in job["if"]  # no fork


def test_no_job_on_gitlab_that_runs_a_change_can_write() -> None:
    jobs = {name: job for name, job in loaded(GITLAB).items() if "script" in job}
    assert set(jobs) == {"book", "preview", "remove", "pages"}
    with_token = {name for name, job in jobs.items() if "PREVIEW_TOKEN" in str(job)}
    assert with_token == {"preview"}
    for name in ("preview", "remove"):
        assert jobs[name]["variables"]["GIT_STRATEGY"] == "none"
        assert jobs[name]["environment"]["name"].startswith("preview/")
        subprocess.run(["bash", "-n"], input="\n".join(jobs[name]["script"]), text=True, check=True)


def test_versions_on_gitlab_stay(clone: Path) -> None:
    with serving() as api:
        environment = os.environ | {"CI_API_V4_URL": api, "CI_PROJECT_ID": "7"}

        def versions(*arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess:
            return subprocess.run(
                [".ci/versions", *arguments],
                cwd=clone,
                env=environment | {"CI_JOB_TOKEN": token},
                capture_output=True,
                text=True,
            )

        (clone / "site" / "1.0").mkdir(parents=True)
        (clone / "site" / "1.0" / "index.html").write_text("a version")
        kept = versions("keep", "1.0")
        shutil.rmtree(clone / "site")
        for tag in ("v1.0", "v2.0"):
            git(clone, "tag", tag)
        laid, refused = versions("lay"), versions("lay", token="wrong")
    assert (kept.returncode, laid.returncode) == (0, 0)
    assert (clone / "site" / "1.0" / "index.html").read_text() == "a version"
    assert "version 2.0 is not in the registry" in laid.stderr
    assert sorted(path.name for path in (clone / "site").iterdir()) == ["1.0"]
    # a book without a version that is there would replace one with it
    assert (refused.returncode, "answers 401" in refused.stderr) == (1, True)


def test_every_script_is_bash_that_can_be_read_and_calls_what_is_there() -> None:
    scripts = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    called = {name for script in scripts for name in re.findall(r"^\.ci/\w+", script, re.MULTILINE)}
    assert {".ci/run", ".ci/pages"} <= called
    assert [name for name in called if not os.access(ROOT / name, os.X_OK)] == []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a repository that has a remote, with the scripts of this one."""
    git(tmp_path, "init", "-q", "--bare", "remote")
    git(tmp_path, "clone", "-q", "remote", "clone")
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    (clone / ".gitignore").write_text("site\n")
    git(clone, "add", "--all")
    git(clone, "commit", "-q", "-m", "first")
    git(clone, "push", "-q", "origin", "HEAD")
    return clone


def pages(clone: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([".ci/pages", *arguments], cwd=clone, capture_output=True, text=True)


def published(clone: Path) -> list[str]:
    git(clone, "fetch", "-q", "origin", "gh-pages")
    return git(clone, "ls-tree", "-r", "--name-only", "origin/gh-pages").split()


def test_versions_stay_and_previews_come_and_go(clone: Path, tmp_path: Path) -> None:
    book = tmp_path / "rendered"
    book.mkdir()
    (book / "index.html").write_text("a change")
    for arguments in (["lay"], ["preview", "7", str(book)], ["push", "Preview"]):
        assert pages(clone, *arguments).returncode == 0
    git(clone, "worktree", "remove", "--force", "site")
    assert pages(clone, "lay").returncode == 0
    (clone / "site" / "1.0").mkdir()
    (clone / "site" / "1.0" / "index.html").write_text("a version")
    assert pages(clone, "push", "Version").returncode == 0
    assert published(clone) == [".nojekyll", "1.0/index.html", "index.html", "pr-7/index.html"]
    assert pages(clone, "remove", "7").returncode == 0
    assert pages(clone, "push", "Closed").returncode == 0
    assert published(clone) == [".nojekyll", "1.0/index.html", "index.html"]
    assert pages(clone, "push", "Nothing new").returncode == 0


def test_two_jobs_that_publish_at_once_lose_nothing(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "remote", "other")
    for place, name in ((clone, "1.0"), (tmp_path / "other", "pr-7")):
        assert pages(place, "lay").returncode == 0
        (place / "site" / name).mkdir()
        (place / "site" / name / "index.html").write_text(name)
    for place in (clone, tmp_path / "other"):
        assert pages(place, "push", "at once").returncode == 0
    assert published(clone) == [".nojekyll", "1.0/index.html", "index.html", "pr-7/index.html"]


def test_github_drops_no_job_of_one_version_or_change_for_another() -> None:
    workflows = {path.stem: loaded(path) for path in WORKFLOWS}
    assert "github.ref" in workflows["publish"]["concurrency"]["group"]
    assert "concurrency" not in workflows["preview"]
    groups = {job["concurrency"]["group"] for job in workflows["preview"]["jobs"].values()}
    assert all("number" in group for group in groups)


@pytest.mark.parametrize("number", ["", "../dev", "7; rm -rf /", "-1"])
def test_a_preview_has_a_number(clone: Path, number: str) -> None:
    done = pages(clone, "remove", number)
    assert done.returncode == 1
    assert "is no number of a change" in done.stderr
