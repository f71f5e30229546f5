"""Asks a table that was pasted into the chat: how many rows, sums, averages, extremes, of all rows
or of those with a value. Numbers are summed exactly as they are written.
"""

import csv
import io
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Literal

from onglet.agents.tools import Here

PERMISSION, WRITES = "free", False
EXAMPLES = (
    (
        "What is the sum of amount in costs.csv?",
        {"name": "costs.csv", "what": "sum", "column": "amount"},
    ),
    (
        "What was the highest amount for rent?",
        {"name": "costs.csv", "what": "highest", "column": "amount", "where": "kind = rent"},
    ),
)
What = Literal["count", "sum", "average", "highest", "lowest"]
SAID = {
    "average": r"\b(?:average|mean|on average)\b",
    "highest": r"\b(?:highest|maximum|max|largest|biggest|most expensive|greatest|top)\b",
    "lowest": r"\b(?:lowest|minimum|min|smallest|cheapest|least)\b",
    "count": r"\b(?:(?:how many|number of) (?:rows|lines|entries|records)|count)\b",
    "sum": r"\b(?:sum|total|altogether|in all|how many|how much|overall)\b",
}
LEAST = 3  # lines of a table, its head among them
NAME = re.compile(r"[\w-]+\.csv\b")
PASTED = "table"  # the name of one without a name
PLACES = Decimal("0.0001")


def taken_out(text: str) -> tuple[str, dict[str, str]]:
    """A message without the tables in it, and the tables by name: lines with as many separators
    each, three at least. The line before may name it, `sales.csv`."""
    lines, kept, tables = text.split("\n"), [], {}
    while lines:
        mark = next((each for each in "\t;," if each in lines[0]), "\n")
        count = leading(lines, mark)
        if count < LEAST:
            kept.append(lines.pop(0))
            continue
        named = NAME.search(kept[-1]) if kept else None
        tables[named[0] if named else PASTED] = written(csv.reader(lines[:count], delimiter=mark))
        lines = lines[count:]
    return "\n".join(kept).strip(), tables


def leading(lines: list[str], mark: str) -> int:
    """How many lines there are before one with fewer or more marks than the first."""
    counts = [line.count(mark) for line in lines]
    unlike = (number for number, count in enumerate(counts) if not count or count != counts[0])
    return next(unlike, len(lines))


def written(rows: Iterable[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([cell.strip() for cell in row] for row in rows)
    return out.getvalue()


def table(here: Here, name: str, what: What, column: str = "", where: str = "") -> str:
    """Answers from a table: the sum, average, highest or lowest value of a column, or the count of
    rows, of all rows or of those where a column has a value (`column = value`)."""
    rows = rows_of(here.tables, name)
    if where:
        key, _, value = (part.strip() for part in where.partition("="))
        rows = [row for row in rows if key in row and row[key].lower() == value.lower()]
    of = f" where {where}" if where else ""
    if what == "count":
        return f"{name} has {len(rows)} rows{of}"
    numbers = [number for row in rows if (number := number_of(row.get(column, ""))) is not None]
    if not numbers:
        raise ValueError(f"There are no numbers in {column}{of} of {name}.")
    return f"The {what} of {column}{of} in {name} is {plain(RESULTS[what](numbers))}"


RESULTS = {
    "sum": sum,
    "average": lambda numbers: sum(numbers) / len(numbers),
    "highest": max,
    "lowest": min,
}


def plain(number: Decimal) -> str:
    rounded = number.quantize(PLACES) if abs(number) < 10**20 else number
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_of(text: str) -> Decimal | None:
    try:
        number = Decimal(text.strip().replace("\u202f", "").replace(" ", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def rows_of(tables: dict[str, str], name: str) -> list[dict[str, str]]:
    """The rows of a table; missing cells are empty. Raises ValueError."""
    if name not in tables:
        raise ValueError(f"There is no table {name}.")
    lines = list(csv.reader(io.StringIO(tables[name])))
    head = lines[0] if lines else []
    filled = (line + [""] * (len(head) - len(line)) for line in lines[1:] if any(line))
    return [dict(zip(head, line, strict=False)) for line in filled]


def read(question: str, here: Here) -> list[dict]:
    """What is asked of which column, of rows with a value that the question names."""
    asked = question.lower()
    calls = []
    for name in here.tables:
        rows = rows_of(here.tables, name)
        columns = list(rows[0]) if rows else []
        named = [column for column in columns if is_named(column, asked)]
        numeric = [column for column in columns if number_of(rows[0][column]) is not None]
        values = [
            f"{column} = {value}"
            for column in columns
            if column not in numeric
            for value in dict.fromkeys(row[column] for row in rows)
            if is_named(value, asked)
        ]
        about = re.search(r"\btables?\b", asked) or name.lower() in asked
        what = next((each for each, words in SAID.items() if re.search(words, asked)), None)
        if not what or not (about or named or values):
            continue
        call = {"name": name, "what": what}
        if what == "count":
            calls += [{**call, "where": value} for value in values] or [call]
            continue
        measured = [column for column in named if column in numeric] or numeric
        for column in measured:
            calls += [{**call, "column": column, "where": value} for value in values] or [
                {**call, "column": column}
            ]
    return calls[:12]


def is_named(text: str, asked: str) -> bool:
    """Whether a column or a value stands in a question, as one or as several."""
    word = re.escape(text.strip().lower().replace("_", " "))
    return bool(word) and re.search(rf"(?<!\w){word}s?(?!\w)", asked) is not None
