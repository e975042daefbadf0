# %% [markdown]
# # Sandboxes {#sec-sandboxes}
#
# A model writes code that nobody has read, and the lab runs it. The code may be wrong in any way: it may never end,
# fill the disk, or delete a home folder by mistake. @fig-sandboxes shows what stands between it and the machine.

# %%
# | label: fig-sandboxes
# | fig-cap: "Who may touch what. The compiler runs inside, too: a build can include any file that it can read. The judge, with what the cases expect, stays outside and reads only values."
# | fig-alt: "A box holds a compiler and a program. Outside of it stand a judge, files, the network and other processes. Only two arrows cross the wall: code in, values out."
from matplotlib.patches import FancyBboxPatch

from llmlab.book import style

figure, axes = style.subplots(height=2.9)


def box(x, y, width, height, text, colour, fill="white"):
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0.08", edgecolor=colour, facecolor=fill
        )
    )
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=9)


box(4.3, 0.3, 3.2, 3.4, "", style.VERMILION)
axes.text(5.9, 3.5, "sandbox", ha="center", va="top", fontsize=9, color=style.VERMILION)
box(4.7, 2.1, 2.4, 0.8, "compiler", style.INK)
box(4.7, 0.7, 2.4, 0.8, "program", style.INK)
box(0.2, 1.2, 2.3, 1.2, "judge, with what\nthe cases expect", style.BLUE)
for row, text in enumerate(("other processes", "network", "files of the user")):
    box(9.0, 0.5 + 1.15 * row, 2.3, 0.6, text, style.FAINT)
    axes.text(8.25, 0.8 + 1.15 * row, "✕", ha="center", va="center", color=style.VERMILION)
for y, text, ends in (
    (2.2, "code", ((2.6, 2.2), (4.2, 2.2))),
    (1.4, "values", ((4.2, 1.4), (2.6, 1.4))),
):
    axes.annotate("", xy=ends[1], xytext=ends[0], arrowprops={"arrowstyle": "->"})
    axes.text(3.4, y + 0.1, text, ha="center", fontsize=9)
axes.set(xlim=(0, 11.6), ylim=(0, 4))
axes.axis("off")
figure

# %% [markdown]
# ## Three levels, and none
#
# The lab tries each level, the strongest first, and takes the first at which a command starts. Each episode records the
# level that its code ran at.
#
# | Wall | bubblewrap | Landlock | container |
# |:--|:--|:--|:--|
# | Network | absent | no socket can be made | absent |
# | Files | read-only system, one private folder | the same, by rules | an empty image, then as bubblewrap |
# | Other processes | unseen | untouchable | unseen |
# | Needs | `bwrap` | Linux [6.12]{.setting} | `podman`, or rootless `docker` |
#
# : How the levels differ; Landlock comes with seccomp. {#tbl-sandboxes}
#
# All levels share the rest: kernel limits on processes, memory, processor time and file size; time, output and total disk
# use, watched from outside; an empty environment. At the first two levels root runs each command as a user of its own,
# whose processes the kernel counts; a container has a control group for that. The container comes last because it starts
# slowly, once for each command. A test puts a script in place of the runtime and checks the commands that it receives. The
# hostile programs below try a real runtime where there is one.
#
# A machine without any of them refuses to run what a model wrote, unless it is told `--allow-unsandboxed`. `llmlab sleep
# sandbox` says which level a machine has, and how many programs it judges per second.
#
# Root is a trap. The kernel counts processes by their real user and exempts root. A user namespace hides root but does not
# change that: a fork bomb that root started in one, under a limit of sixty-four, made thousands. So each command runs as a
# user of its own that owns nothing.
#
# ## No pass line
#
# Most harnesses run tests next to the code that they test and look for a word in its output. A program can print that
# word, or exit with 0 before the tests begin. Here a program is green if, for every case $i$, the value $v_i$ that comes
# out is the expected value $e_i$, which never enters the sandbox:
#
# $$ \text{green} \iff \forall i:\ v_i = e_i. $$ {#eq-green}
#
# A program that exits early has given too few values, and one that prints something else has given the wrong ones:

# %%
# | echo: true
from llmlab.sleep.koans.judges import judge
from llmlab.sleep.koans.koan import Case, Program
from llmlab.sleep.sandbox.levels import probe

CASES = (Case("f(2)", "3"),)
CODES = (
    "def f(n):\n    return n + 1\n",
    "def f(n):\n    print('test result: ok. 1 passed')\n    raise SystemExit(0)\n",
)
for verdict in judge("python", [Program(code, CASES) for code in CODES], probe().sandbox):
    print(verdict.outcome, verdict.error)

# %% [markdown]
# A hundred hostile programs test the walls: network, home folder, fork bombs, memory, endless loops, disk,
# giant output, links, tracing, `/proc`, signals to the parent, files included at build time, macros that never end,
# early exits and forged pass lines. Each gives the right answer only if its attack worked, so red proves that it failed.
# All run with every `make test`, against each kind of sandbox that the machine has.
#
# ## What it does not guarantee
#
# - **The kernel is shared.** A program that finds a hole in the kernel escapes. For the code of an adversary, rather than
#   of a model at its worst, use a virtual machine.
# - **The hundred programs are the attacks that we thought of.** That all of them fail says nothing about the next one, and
#   no rate follows: they were not drawn at random.
# - **Memory is limited for each process.** At the first two levels sixty-four processes may each take their limit; only a
#   container counts them together.
# - **Time leaks.** A program can tell how busy the machine is.
# - **The small coder's programs share one sandbox per batch.** Its vocabulary has no word for an import, a file or a
#   process. Models that can say more get a sandbox for each program.
#
# ## What rests on it
#
# Every pass rate of this part: @sec-results-sleep-base, @sec-results-sleep-methods, @sec-results-sleep-prompting.
