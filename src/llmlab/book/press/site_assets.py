"""The assets that pages of both renderers load: styles, scripts, fonts."""

import shutil
from pathlib import Path

from llmlab.book.press.contents import ASSETS
from llmlab.book.views import widgets

SITE = ASSETS / "site"
EXPLORER = "explorer.js"


def write_site_assets(folder: Path) -> None:
    """Write styles, scripts and fonts into `folder`, including those of the widgets."""
    shutil.copytree(SITE, folder, dirs_exist_ok=True)
    shutil.copy(widgets.STYLE, folder)
    (folder / EXPLORER).write_text(widgets.script(), encoding="utf-8")
