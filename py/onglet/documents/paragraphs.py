"""Paragraphs from lines, for what knows lines alone: pages of PDFs, pictures. Knows no format."""

from collections.abc import Iterator

SHORT = 0.6  # of a page's usual line: a line so short ends a paragraph


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
