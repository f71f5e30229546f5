"""Keeps the built site as it is now, by hard links: whoever serves the copy (tests, ask, bench) is
not disturbed when another command builds dist/ anew meanwhile."""

import os
import shutil
from pathlib import Path

from .places import DIST


def keep(folder: Path) -> Path:
    """Returns the copy of dist/ in `folder`."""
    kept = folder / "dist"
    shutil.copytree(DIST, kept, copy_function=link_or_copy)
    return kept


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
