"""A real manual as PDF: the Debian New Maintainers' Guide, from its package."""

import io
import shutil
import subprocess
from pathlib import Path

import pypdfium2
import pytest

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
    part, made = pypdfium2.PdfDocument.new(), io.BytesIO()
    part.import_pages(pypdfium2.PdfDocument(manual()), [*range(first - 1, last)] * times)
    part.save(made)
    return made.getvalue()


def with_scan(data: bytes, number: int) -> bytes:
    """A PDF whose page `number` is a grey picture of what it was, 300 dots an inch."""
    whole, made = pypdfium2.PdfDocument(data), io.BytesIO()
    width, height = whole[number - 1].get_size()
    picture = whole[number - 1].render(scale=300 / 72, grayscale=True)
    del whole[number - 1]
    image = pypdfium2.PdfImage.new(whole)
    image.set_bitmap(picture)
    image.set_matrix(pypdfium2.PdfMatrix().scale(width, height))
    page = whole.new_page(width, height, number - 1)
    page.insert_obj(image)
    page.gen_content()
    whole.save(made)
    return made.getvalue()
