"""Mail files (.eml), by Python's own `email`: subject, who, when, and the text."""

from collections.abc import Iterator
from email import policy
from email.parser import BytesParser

from onglet.documents.blocks import Block, Progress
from onglet.documents.readers import html
from onglet.documents.readers.text import paragraphs

SUFFIXES = ("eml",)
HEAD = ("From", "To", "Cc", "Date")


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    message = BytesParser(policy=policy.default).parsebytes(data)
    yield Block(str(message.get("Subject", "")), 1)
    yield Block("\n".join(f"{name}: {message[name]}" for name in HEAD if message.get(name)))
    body = message.get_body(preferencelist=("plain", "html"))
    if body is not None:
        text = body.get_content()
        is_html = body.get_content_type() == "text/html"
        yield from html.blocks_of(text) if is_html else paragraphs(text)
    for part in message.iter_attachments():
        yield Block(part.get_filename() or "")
