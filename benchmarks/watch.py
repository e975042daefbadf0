"""`llmlab watch`: how soon it answers and draws, what it costs, and what it costs the trainer.

Needs Chromium. The aims: a first answer in .5 s, 100,000 rows drawn in 1.5 s, an appended row in
the browser within 200 ms (95th percentile), 1 % of a core while nothing happens, 20 MB for a client
that never reads, and a step of training slowed by less than .5 %.

Whether a watched run is slower is measured in pairs: one run, during which the server sleeps and
wakes in turn, and the mean of the logarithms of the ratios. What a look for requests takes is
measured apart, since it is far below that noise.
"""

import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright
from report import save
from websockets.sync.client import connect

from llmlab.gpt.command.session import PretrainingSession
from llmlab.gpt.distributed import Workers
from llmlab.gpt.model import GPTConfig
from llmlab.gpt.pretraining import PretrainingRecipe
from llmlab.gpt.text.encoded_corpus import byte_pairs, named_corpus, prepare
from llmlab.gpt.training import Point, TrainConfig
from llmlab.runs.control import Helm
from llmlab.runs.folder import RunFolder

PORT = 8765
HERE = f"http://127.0.0.1:{PORT}"
ROWS = 100_000
APPENDED = 100
QUIET_SECONDS = 10
STALLED_SECONDS = 5
POLLS = 20_000
BLOCK, N_BLOCKS = 5, 4002
"""Steps of a block, and blocks: so short that the machine keeps its pace within a pair."""
STEP_SECONDS = 0.01
"""A fast step: that of `micro` on two cores takes some ten times as long."""


def point(step: int) -> dict[str, float]:
    loss = 2 + 5 / (1 + step / 5000) + 0.1 * (step % 7)
    fields = {"loss": loss, "gradient_norm": 1.0, "learning_rate": 1e-3, "seconds": 0.05}
    return {"step": step, "tokens": 8192, **fields}


def name(folder: RunFolder) -> str:
    """What the server calls a run."""
    return f"{folder.path.parent.name}/{folder.path.name}"


def write_run(folder: RunFolder, n_rows: int) -> None:
    folder.log.start({"train.steps": ROWS + APPENDED})
    lines = (json.dumps({"event": "point", **point(step)}) for step in range(n_rows))
    with folder.log.path.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


@contextmanager
def served(root: Path) -> Iterator[tuple[psutil.Process, str, float]]:
    """The server's process, its link, and the seconds until its first answer."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "llmlab", "watch", str(root), "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        link = process.stdout.readline().split()[0]
        urllib.request.urlopen(f"{HERE}/api/health").read()
        first = time.perf_counter() - began
        try:
            yield psutil.Process(process.pid), link, first
        finally:
            process.terminate()


def drawn(page: Page, n_points: int) -> None:
    """Wait until so many points are on the screen; TimeoutError after a minute."""
    end = time.monotonic() + 60
    while page.locator("body").get_attribute("data-points") != str(n_points):
        time.sleep(0.005)
        if time.monotonic() > end:
            raise TimeoutError(f"{n_points} points were never drawn")


def browser_figures(link: str, folder: RunFolder) -> dict[str, float]:
    """Seconds until a long run is drawn, and milliseconds from an append to the screen."""
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        began = time.perf_counter()
        page.goto(f"{link}&run={name(folder)}")
        drawn(page, ROWS)
        seconds = time.perf_counter() - began
        browser.close()
    return {"100,000 rows drawn, s": round(seconds, 2)}


def latencies(link: str, folder: RunFolder) -> dict[str, float]:
    """Milliseconds from an append to the changed page, for a run of some thousand steps."""
    waits = []
    with sync_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{link}&run={name(folder)}")
        drawn(page, 2000)
        for step in range(2000, 2000 + APPENDED):
            began = time.perf_counter()
            folder.log.append("point", point(step))
            drawn(page, step + 1)
            waits.append(1000 * (time.perf_counter() - began))
        browser.close()
    return {
        "append to browser, median ms": round(statistics.median(waits)),
        "append to browser, p95 ms": round(statistics.quantiles(waits, n=20)[-1]),
    }


def idle_share(process: psutil.Process, link: str, folder: RunFolder) -> float:
    """Share of a core, in percent, while one client waits for a run that says nothing."""
    with client(link, folder) as socket:
        socket.recv()
        before = sum(process.cpu_times()[:2])
        time.sleep(QUIET_SECONDS)
        return 100 * (sum(process.cpu_times()[:2]) - before) / QUIET_SECONDS


def stalled_growth(process: psutil.Process, link: str, folder: RunFolder) -> float:
    """Megabytes that a client takes which asks for 100,000 rows and reads none."""
    before = process.memory_info().rss
    with client(link, folder):
        time.sleep(STALLED_SECONDS)
        return (process.memory_info().rss - before) / 1e6


def client(link: str, folder: RunFolder) -> connect:
    token = link.partition("token=")[2]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"ws://127.0.0.1:{PORT}/ws?run={name(folder)}"
    # it reads what arrives only up to this many messages, and no byte beyond them
    return connect(url, origin=HERE, additional_headers=headers, max_size=None, max_queue=1)


def slowdown(folder: RunFolder) -> float:
    """What looking for requests takes, in percent of a fast step."""
    helm = Helm(folder)
    began = time.perf_counter()
    for _ in range(POLLS):
        list(helm.requests(bool))
    return 100 * (time.perf_counter() - began) / POLLS / STEP_SECONDS


def watched_slowdown(server: psutil.Process, link: str, root: Path) -> dict[str, float]:
    """By how many percent a step takes longer while somebody watches, with a 95 % interval."""
    session = trained(root)
    command = [sys.executable, __file__, "follow", link, name(RunFolder(session.folder))]
    blocks: list[list[float]] = [[]]
    follower, last = None, time.perf_counter()
    for event in session.events(Workers.alone(), resume=False):
        if not isinstance(event, Point):
            continue
        follower = follower or subprocess.Popen(command)  # once there is a log
        now = time.perf_counter()
        blocks[-1].append(now - last)
        if len(blocks[-1]) == BLOCK:
            blocks.append([])
            server.resume() if len(blocks) % 2 else server.suspend()
        last = time.perf_counter()
    server.resume()
    follower.kill()
    logs = [math.log(sum(block)) for block in blocks[2:-1]]
    # ratios themselves would be biased: noise alone makes their mean greater than one
    slower = [100 * (on - off) for off, on in zip(logs[1::2], logs[2::2], strict=False)]
    mean = statistics.mean(slower)
    half = 1.96 * statistics.stdev(slower) / len(slower) ** 0.5
    return {"watched step slower, %": round(mean, 3), "its interval, ±": round(half, 3)}


def trained(root: Path) -> PretrainingSession:
    """A small model to train on a text of its own."""
    text = root / "text.txt"
    text.write_text("".join(f"{n} squared is {n * n}. " for n in range(4000)), encoding="utf-8")
    encoded = prepare(named_corpus(str(text)), byte_pairs(300))
    recipe = PretrainingRecipe(
        shape=GPTConfig(encoded.tokenizer.vocab_size, 64, 128, 2, 4),
        train=TrainConfig(1e-3, steps=N_BLOCKS * BLOCK),
        batch_size=8,
        seed=0,
        validate_every=10**6,
        validation_tokens=64,
    )
    return PretrainingSession(root / "trained", recipe, encoded)


def follow(link: str, run: str) -> None:
    """Read what a run says, as a browser does, until killed."""
    token = link.partition("token=")[2]
    url = f"ws://127.0.0.1:{PORT}/ws?run={run}"
    headers = {"Authorization": f"Bearer {token}"}
    with connect(url, origin=HERE, additional_headers=headers, max_size=None) as socket:
        for _ in socket:
            pass


def measure(root: Path) -> dict[str, dict[str, float]]:
    long, live = RunFolder(root / "long"), RunFolder(root / "live")
    write_run(long, ROWS)
    write_run(live, 2000)
    with served(root) as (process, link, first):
        found = {"first answer, s": round(first, 2), **browser_figures(link, long)}
        found |= latencies(link, live)
        found["idle, % of a core"] = round(idle_share(process, link, live), 2)
        found["client that never reads, MB"] = round(stalled_growth(process, link, long), 1)
        found |= watched_slowdown(process, link, root)
    found["look for requests, % of a step"] = round(slowdown(live), 4)
    aims = (0.5, 1.5, None, 200, 1, 20, 0.5, None, 0.5)
    return {
        name: {"measured": value, "aim": aim}
        for (name, value), aim in zip(found.items(), aims, strict=True)
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["follow"]:
        follow(*sys.argv[2:])
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        save("watch", measure(Path(folder)))
