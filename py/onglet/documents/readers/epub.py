"""EPUB books: the chapters in the order of the spine, each as HTML.

The library for it (ebooklib) is under the AGPL, which this site could not carry.
"""

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote

from onglet.documents.blocks import Archive, Block, Progress
from onglet.documents.readers import html, xml
from onglet.documents.readers.text import decoded
from onglet.engine.errors import Refused

SUFFIXES = ("epub",)
CONTAINER = "META-INF/container.xml"
PAGES = ("application/xhtml+xml", "text/html")


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    archive = Archive(data)
    if "META-INF/encryption.xml" in archive.names and "META-INF/rights.xml" in archive.names:
        raise Refused("locked_document")
    chapters = spine(archive)
    for number, chapter in enumerate(chapters, 1):
        if chapter in archive.names:
            yield from html.blocks_of(decoded(archive.read(chapter)))
        progress(number, len(chapters))


def spine(archive: Archive) -> list[str]:
    """Names of the chapters' files in reading order."""
    entry = xml.parse(archive.read(CONTAINER)).find(".//{*}rootfile")
    place = "" if entry is None else entry.get("full-path", "")
    package = xml.parse(archive.read(place))
    folder = posixpath.dirname(place)
    items = {
        item.get("id"): posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        for item in package.iterfind(".//{*}manifest/{*}item")
        if item.get("media-type") in PAGES
    }
    wanted = [item.get("idref") for item in package.iterfind(".//{*}spine/{*}itemref")]
    return [items[name] for name in wanted if name in items]
