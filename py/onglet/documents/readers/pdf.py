"""PDF, by PDFium: text page by page, headings from the outline. Pages that are pictures are drawn
and read by the models of `documents/ocr/`."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import TYPE_CHECKING

from onglet.browser import workbench
from onglet.documents import ocr
from onglet.documents.blocks import MOST_PAGES, Block, Progress
from onglet.documents.paragraphs import paragraphs
from onglet.documents.pdfium import INCH, Page, Pdf
from onglet.engine.errors import Refused

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = ("pdf",)
MOST_HEADINGS = 20_000
LITTLE = 100  # characters: a page with fewer may be a picture
PICTURED = 0.3  # of such a page is pictures: what they show is read
FINE = 200  # pixels an inch, of a page that is drawn to be read
SIDES = (1600, 3400)  # pixels of its longer side, whatever its size in inches


async def read(data: bytes, name: str, progress: Progress) -> AsyncIterator[Block]:
    pdf = Pdf(await workbench.pdfium(), data)
    if pdf.count > MOST_PAGES:
        raise Refused("document_pages", pages=pdf.count, limit=MOST_PAGES)
    headings: dict[int, list[tuple[int, str]]] = {}
    for number, level, title in pdf.outline(MOST_HEADINGS):
        headings.setdefault(number, []).append((min(level, 6), " ".join(title.split())))
    for number in range(pdf.count):
        progress(number, pdf.count)
        with pdf.page(number) as page:
            text = page.text() if page else ""
            eyes = await ocr.eyes() if page and is_picture(page, text) else None
            picture = drawn(page) if eyes else None
        if eyes:
            part = partial(part_of_page, progress, number, pdf.count)
            for said in paragraphs(await eyes.see(picture, part)):
                yield Block(said, 0, number + 1, seen=True)
        else:
            for block in blocks(text, headings.get(number, ()), number + 1):
                yield block
    progress(pdf.count, pdf.count)


def blocks(text: str, headings: list[tuple[int, str]], page: int) -> Iterator[Block]:
    """A page's text, cut at the headings that the outline has on it."""
    for level, title in headings:
        before, found, after = text.partition(title)
        if found:
            yield from (Block(part, 0, page) for part in paragraphs(before))
            text = after
        yield Block(title, level, page)
    yield from (Block(part, 0, page) for part in paragraphs(text))


def part_of_page(progress: Progress, page: int, pages: int, lines: int, of: int) -> None:
    progress(page + lines / of, pages, seeing=True)


def is_picture(page: Page, text: str) -> bool:
    """Whether what a page says is to be read from its looks: scans, and letters that are lines."""
    if len(text.strip()) >= LITTLE:
        return False
    return page.pictured() >= PICTURED or not (text.strip() or page.empty())


def drawn(page: Page) -> "np.ndarray":
    """A page as large as the models want it."""
    sizes = page.size()
    least, most = SIDES
    longest = min(max(FINE / INCH * max(sizes), least), most)
    width, height = (max(1, round(size * longest / max(sizes))) for size in sizes)
    return page.drawn(width, height)
