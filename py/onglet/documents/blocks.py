"""What a reader makes of a file: blocks of text in reading order, with their place.

Every limit on what a document may cost stands here, so that a hostile one ends with a sentence.
Knows no format.
"""

import io
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

from onglet.engine.errors import Refused

MOST_BYTES = 200 << 20  # of a file
MOST_UNPACKED = 300 << 20  # of everything in an archive
MOST_MEMBER = 64 << 20  # of one file in an archive
MOST_MEMBERS = 20_000
MOST_PAGES = 5_000
MOST_CHARACTERS = 30_000_000  # of text in a document
MOST_BLOCKS = 500_000


class Progress(Protocol):
    def __call__(self, done: float, total: int, seeing: bool = False) -> None:
        """So much of a document is read; `seeing`: from a picture, which takes longer."""


@dataclass(frozen=True)
class Block:
    """A heading, or a paragraph, list item, table row."""

    text: str
    level: int = 0  # 1 to 6: a heading; 0: text
    page: int | None = None  # from 1, where the format has pages
    seen: bool = False  # read from a picture, so letters may be wrong


async def within_limits(blocks: AsyncIterator[Block]) -> list[Block]:
    """All blocks that hold text. Raises Refused document_too_long or no_text."""
    found, characters = [], 0
    async for block in blocks:
        text = " ".join(block.text.split())
        if not text:
            continue
        characters += len(text)
        if characters > MOST_CHARACTERS or len(found) >= MOST_BLOCKS:
            raise Refused("document_too_long", limit=MOST_CHARACTERS)
        found.append(replace(block, text=text))
    if not found:
        raise Refused("no_text")
    return found


class Archive:
    """A ZIP file whose members may not cost more than they should."""

    def __init__(self, data: bytes):
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
            raise Refused("broken_document") from error
        if len(entries) > MOST_MEMBERS or sum(e.file_size for e in entries) > MOST_UNPACKED:
            raise Refused("document_bomb")
        self.names = {entry.filename for entry in entries}

    def read(self, name: str) -> bytes:
        """One member. Raises Refused: broken_document, document_bomb, locked_document."""
        try:
            if self._zip.getinfo(name).flag_bits & 1:
                raise Refused("locked_document")
            with self._zip.open(name) as member:
                data = member.read(MOST_MEMBER + 1)
        except Refused:
            raise
        except Exception as error:  # zlib, lzma and bz2 have errors of their own
            raise Refused("broken_document") from error
        if len(data) > MOST_MEMBER:
            raise Refused("document_bomb")
        return data

    def check_all(self) -> None:
        """Unpacks every member once: for libraries that open the archive themselves."""
        total = 0
        for name in sorted(self.names):
            if not name.endswith("/"):
                total += len(self.read(name))
            if total > MOST_UNPACKED:
                raise Refused("document_bomb")
