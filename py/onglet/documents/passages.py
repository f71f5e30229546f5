"""Cuts a document into passages about as long as what the embedding model reads, by structure: a
passage holds whole paragraphs, never crosses a page and not a heading. Together they are the text.

Knows no format and no store.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from onglet.documents.blocks import Block

WANTED = 800  # characters; 256 tokens of the embedding model are about 1,000
MOST = 1100
SMALL = 200  # a piece so small joins what follows under the next heading of the same page
DEEPEST = 3  # headings kept above a passage


@dataclass(frozen=True)
class Passage:
    text: str
    page: int | None
    headings: str  # "Chapter › Section"
    seen: bool = False  # read from a picture

    @property
    def with_headings(self) -> str:
        """What is searched and what is embedded."""
        return f"{self.headings}\n{self.text}" if self.headings else self.text


def passages(blocks: list[Block]) -> Iterator[Passage]:
    """The passages of a document, in reading order."""
    path: dict[int, str] = {}
    held: list[str] = []
    page, above, seen = None, "", False

    def flush() -> Iterator[Passage]:
        if held:
            yield Passage("\n".join(held), page, above, seen)
            held.clear()

    for block in blocks:
        turned = block.page != page
        if turned or (block.level and length(held) >= SMALL):
            yield from flush()
        if block.level:
            path = {level: title for level, title in path.items() if level < block.level}
            path[block.level] = block.text
        if not held:
            page, above = block.page, " › ".join(list(path.values())[-DEEPEST:])
            seen = block.seen
        for part in pieces(block.text):
            if held and length(held) + len(part) > WANTED:
                yield from flush()
                above = " › ".join(list(path.values())[-DEEPEST:])
            held.append(part)
    yield from flush()


def length(parts: list[str]) -> int:
    return sum(map(len, parts))


def pieces(text: str) -> Iterator[str]:
    """A paragraph, cut between sentences (else words, else anywhere) when it is too long."""
    while len(text) > MOST:
        ends = [m.end() for m in re.finditer(r"[.!?;]\s+", text[:WANTED])]
        cut = ends[-1] if ends and ends[-1] > SMALL else text.rfind(" ", SMALL, WANTED) + 1
        cut = cut or WANTED
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text
