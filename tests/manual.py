"""A real manual as PDF: the Debian New Maintainers' Guide, from its package."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from onglet_build import vendor
from onglet_build.places import CACHE

PACKAGE = "maint-guide"
INSIDE = "usr/share/doc/maint-guide/maint-guide.en.pdf"
FOLDER = CACHE / "manual"


def manual() -> Path:
    """The whole manual; a test that cannot have it is skipped."""
    found = FOLDER / INSIDE
    if not found.exists() and shutil.which("apt-get"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", PACKAGE], cwd=FOLDER, check=False)
        for package in FOLDER.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, FOLDER], check=True)
    if not found.exists():
        pytest.skip(f"needs the Debian package {PACKAGE}")
    return found


def part_of_manual(first: int, last: int, times: int = 1) -> bytes:
    """The pages from `first` to `last`, counted from 1, as a PDF of their own, so many times."""
    rows = [row for row in vendor.packages("workshop") if row.package == "pypdf"]
    vendor.fetch(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(rows[0].folder)
        from pypdf import PdfReader, PdfWriter

        writer = PdfWriter()
        for page in list(PdfReader(manual()).pages[first - 1 : last]) * times:
            writer.add_page(page)
        made = io.BytesIO()
        writer.write(made)
    return made.getvalue()
