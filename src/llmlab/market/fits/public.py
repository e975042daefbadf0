"""Published runs to fit: 104 language models on eight evaluation sets.

Gadre et al. 2024, "Language models scale reliably with over-training and on downstream tasks"
(2403.08540); github.com/mlfoundations/scaling, exp_data/models at a003c491 (MIT). Loss in nats per
token.
"""

from llmlab.market.fits.law import Runs
from llmlab.market.fits.table import read_table, runs_of
from llmlab.method.files import packaged

POINTS = "llmlab/market/fits/public_points.csv"


def public_runs(evaluation_set: str = "c4_val") -> Runs:
    """The runs with their loss on one evaluation set; LabError if there is no such set."""
    table = read_table(packaged(POINTS))
    return runs_of(table, {"params": "params", "tokens": "tokens"}, evaluation_set)
