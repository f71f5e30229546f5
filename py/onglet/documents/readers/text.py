"""Plain text and Markdown, in whatever encoding: `charset_normalizer` and `markdown-it-py`."""

import re
from collections.abc import Iterator

from onglet.documents.blocks import Block, Progress
from onglet.engine.errors import Refused

SUFFIXES = ("txt", "text", "md", "markdown", "rst", "log")
MARKDOWN = ("md", "markdown")
MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"),
         (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))  # fmt: skip
COMMON = "cp1252"  # where several encodings are as likely: western Europe's
SAMPLE = 1 << 18  # bytes that an encoding is guessed from
ITEM = "• "


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    text = decoded(data)
    if name.lower().endswith(MARKDOWN):
        yield from markdown(text)
    else:
        yield from paragraphs(text)


def decoded(data: bytes) -> str:
    """Text from bytes: by its mark, as UTF-8, else by the likeliest encoding.

    Raises Refused broken_document when it is no text.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = guessed(data)
    if text.count("\0") > len(text) // 100:
        raise Refused("broken_document")
    return text


def guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes

    found = from_bytes(data[:SAMPLE])
    if not found:
        raise Refused("broken_document")
    likely = [match.encoding for match in found if match.chaos <= found.best().chaos]
    return data.decode(COMMON if COMMON in likely else likely[0], "replace")


def paragraphs(text: str) -> Iterator[Block]:
    """Blocks between empty lines; a form feed begins a page; an underlined line is a heading."""
    pages = text.split("\f")
    for number, page in enumerate(pages, 1):
        for part in re.split(r"\n\s*\n", page.replace("\r\n", "\n").replace("\r", "\n")):
            lines = part.strip().splitlines()
            underlined = len(lines) == 2 and re.fullmatch(r"\s*([=\-~^#*])\1{2,}\s*", lines[1])
            place = number if len(pages) > 1 else None
            yield Block(lines[0] if underlined else part, 1 if underlined else 0, place)


def markdown(text: str) -> Iterator[Block]:
    from markdown_it import MarkdownIt

    level, depth = 0, 0
    for token in MarkdownIt("commonmark", {"html": False}).enable("table").parse(text):
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "heading_close":
            level = 0
        elif token.type in ("list_item_open", "list_item_close"):
            depth += token.nesting
        elif token.type in ("inline", "fence", "code_block"):
            words = token.content
            if token.children:
                words = "".join(plain(child) for child in token.children)
            yield Block((ITEM if depth else "") + words, level)


def plain(token) -> str:
    """The text of a piece of a line, without its marks."""
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    return token.content
