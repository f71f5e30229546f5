"""Word documents, by mammoth (DOCX -> HTML), then as HTML."""

import io
from collections.abc import Iterator

from onglet.documents.blocks import Archive, Block, Progress
from onglet.documents.readers import html, xml
from onglet.engine.errors import Refused

SUFFIXES = ("docx",)


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    archive = Archive(data)
    if "word/document.xml" not in archive.names:
        raise Refused("broken_document")
    archive.check_all()
    for member in archive.names:
        if member.endswith((".xml", ".rels")):
            xml.parse(archive.read(member))  # mammoth parses with a parser that follows entities
    from mammoth import convert_to_html

    no_pictures = {"convert_image": lambda image: []}
    yield from html.blocks_of(convert_to_html(io.BytesIO(data), **no_pictures).value)
