"""HTML pages, by Beautiful Soup on Python's own parser: their text, never their scripts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from onglet.documents.blocks import Block, Progress
from onglet.documents.readers.text import ITEM, decoded

if TYPE_CHECKING:
    from bs4 import Tag

SUFFIXES = ("html", "htm", "xhtml")
HEADINGS = {f"h{level}": level for level in range(1, 7)}
SILENT = {"script", "style", "noscript", "template", "nav", "head", "svg", "iframe", "object"}
WHOLE = {*HEADINGS, "p", "li", "dt", "dd", "pre", "tr", "blockquote", "figcaption", "caption",
         "summary"}  # fmt: skip
INSIDE = {"p", "li", "dd", "pre", "table", "ul", "ol", "dl", "div", "blockquote", *HEADINGS}
DEEPEST = 400  # elements inside one another


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    yield from blocks_of(decoded(data))


def blocks_of(markup: str, page: int | None = None) -> Iterator[Block]:
    """The blocks of one page of HTML."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(markup, "html.parser")
    yield from walk(soup.body or soup, page, 0)


def walk(element: "Tag", page: int | None, depth: int) -> Iterator[Block]:
    """Blocks in reading order; loose text between blocks is a block too."""
    from bs4 import NavigableString, Tag
    from bs4.element import PreformattedString

    loose: list[str] = []
    for child in element.children:
        if isinstance(child, Tag) and child.name in SILENT:
            continue
        if isinstance(child, Tag) and (child.name in WHOLE or child.find(WHOLE) is not None):
            yield Block("".join(loose), 0, page)
            loose = []
            if is_whole(child) or depth > DEEPEST:
                yield Block(said(child), HEADINGS.get(child.name, 0), page)
            else:
                yield from walk(child, page, depth + 1)
        elif isinstance(child, Tag):
            loose.append(child.get_text(" ") + " ")
        elif isinstance(child, NavigableString) and not isinstance(child, PreformattedString):
            loose.append(str(child))
    yield Block("".join(loose), 0, page)


def is_whole(element: "Tag") -> bool:
    """Whether an element is one block: it holds no other."""
    if element.name == "tr" or element.name in HEADINGS:
        return True
    return element.name in WHOLE and element.find(INSIDE) is None


def said(element: "Tag") -> str:
    if element.name == "tr":
        return " | ".join(cell.get_text(" ", strip=True) for cell in element.find_all(["td", "th"]))
    return (ITEM if element.name == "li" else "") + element.get_text()
