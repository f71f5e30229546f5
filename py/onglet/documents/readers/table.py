"""Values between commas, semicolons or tabs: each row with the names of its columns."""

import csv
import io
from collections.abc import Iterator

from onglet.documents.blocks import Block, Progress
from onglet.documents.readers.text import decoded

SUFFIXES = ("csv", "tsv")
SAMPLE = 16_384  # characters that the separator is guessed from
LONGEST_FIELD = 1 << 20


def read(data: bytes, name: str, progress: Progress) -> Iterator[Block]:
    text = decoded(data)
    csv.field_size_limit(LONGEST_FIELD)
    try:
        dialect = csv.Sniffer().sniff(text[:SAMPLE], ",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if name.lower().endswith("tsv") else csv.excel
    rows = csv.reader(io.StringIO(text, newline=""), dialect)
    names = next(rows, [])
    yield Block(" | ".join(names))
    for row in rows:
        pairs = [f"{names[i]}: {value}" if i < len(names) else value for i, value in enumerate(row)]
        full = (pair for pair, value in zip(pairs, row, strict=True) if value.strip())
        yield Block("; ".join(full))
