"""PDF, by pypdf: text page by page, headings from the outline. Pictures of pages hold no text."""

import io
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from onglet.documents.blocks import MOST_PAGES, Block, Progress
from onglet.engine.errors import Refused

if TYPE_CHECKING:
    from pypdf import PdfReader

SUFFIXES = ("pdf",)
LONGEST_PAGE = 200_000  # characters
WIDEST_SPACE = 400  # thousandths of the font's size
SHORT = 0.6  # of the page's usual line: a line so short ends a paragraph
MOST_HEADINGS = 20_000


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    narrow_spaces()
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("locked_document")
    limit_pages(reader)
    count = len(reader.pages)
    if count > MOST_PAGES:
        raise Refused("document_pages", pages=count, limit=MOST_PAGES)
    headings = outline(reader)
    for number, page in enumerate(reader.pages, 1):
        text = extracted(page)[:LONGEST_PAGE]
        for level, title in headings.get(number, ()):
            before, found, after = text.partition(title)
            if found:
                yield from (Block(part, 0, number) for part in paragraphs(before))
                text = after
            yield Block(title, level, number)
        yield from (Block(part, 0, number) for part in paragraphs(text))
        progress(number, count)


def limit_pages(reader: "PdfReader") -> None:
    """Refuses a file of far too many pages before pypdf lists them, whatever the file says of their
    number: a few branches that hold one another ten times over, or in a circle, have no end."""
    waiting, pages = [reader.root_object["/Pages"]], 0
    while waiting:
        kids = waiting.pop().get_object().get("/Kids")
        pages += 1
        waiting += kids or []
        if pages + len(waiting) > 2 * MOST_PAGES:
            raise Refused("document_pages", pages=pages + len(waiting), limit=MOST_PAGES)


def narrow_spaces() -> None:
    """Lets pypdf see the gaps between words of justified lines: a font that has no space gets an
    invented width in it (XeTeX: 564 of 1000), and gaps below half of it were taken for kerning."""
    from pypdf.generic._font import Font

    if not hasattr(Font, "width_as_found"):
        Font.width_as_found = Font._add_space_width
        Font._add_space_width = staticmethod(
            lambda *given: min(Font.width_as_found(*given), WIDEST_SPACE)
        )


def extracted(page: Any) -> str:
    """A page's text; nothing where that page alone is broken."""
    try:
        return page.extract_text()
    except (RecursionError, MemoryError):
        raise
    except Exception:
        return ""


def outline(reader: "PdfReader") -> dict[int, list[tuple[int, str]]]:
    """Page -> (level, title) of the outline's entries on it; nothing when it cannot be read."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        entries = [(1, entry) for entry in reader.outline]
        while entries and sum(map(len, found.values())) < MOST_HEADINGS:
            level, entry = entries.pop(0)
            if isinstance(entry, list):
                entries[:0] = [(level + 1, inner) for inner in entry]
                continue
            page = reader.get_destination_page_number(entry)
            if page is not None and page >= 0:
                found.setdefault(page + 1, []).append((min(level, 6), str(entry.title)))
    except Exception:
        return found
    return found


def paragraphs(text: str) -> Iterator[str]:
    """Lines put together again: a short line that ends a sentence ends a paragraph."""
    lines = [line.strip() for line in text.splitlines()]
    lengths = sorted(len(line) for line in lines if line)
    if not lengths:
        return
    usual = lengths[int(len(lengths) * 0.8)]
    held = ""
    for line in lines:
        if line and held.endswith("-") and line[0].islower():
            held = held[:-1] + line
        else:
            held = f"{held} {line}".strip()
        if not line or (len(line) < usual * SHORT and line.endswith((".", ":", "!", "?", ";"))):
            yield held
            held = ""
    yield held
