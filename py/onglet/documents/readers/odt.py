"""OpenDocument texts: headings, paragraphs, list items and table rows of content.xml, in order.

The libraries for it are unkept (odfpy) or need a parser in C (odfdo).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onglet.documents.blocks import Archive, Block, Progress
from onglet.documents.readers import xml
from onglet.documents.readers.text import ITEM

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES = ("odt",)
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
SPACES = {f"{TEXT}s": " ", f"{TEXT}tab": " ", f"{TEXT}line-break": "\n"}
SILENT = {f"{TEXT}tracked-changes", f"{TEXT}sequence-decls"}


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    root = xml.parse(Archive(data).read("content.xml"))
    waiting: list[tuple[Element, bool]] = [(root, False)]
    while waiting:
        element, listed = waiting.pop()
        if element.tag == f"{TEXT}h":
            level = element.get(f"{TEXT}outline-level", "1")
            yield Block(said(element), min(6, int(level)) if level.isdigit() else 1)
        elif element.tag == f"{TEXT}p":
            yield Block((ITEM if listed else "") + said(element))
        elif element.tag == f"{TABLE}table-row":
            cells = (said(cell) for cell in element if cell.tag == f"{TABLE}table-cell")
            yield Block(" | ".join(cell for cell in cells if cell))
        elif element.tag not in SILENT:
            inside = listed or element.tag == f"{TEXT}list-item"
            waiting += [(child, inside) for child in reversed(element)]


def said(element: "Element") -> str:
    """The text of an element, with the spaces that OpenDocument writes as elements."""
    parts: list[str] = []
    waiting: list[Element | str] = [element]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            parts.append(part)
            continue
        parts.append(SPACES.get(part.tag, "") + (part.text or ""))
        for child in reversed(part):
            waiting += [child.tail or "", child]
    return "".join(parts)
