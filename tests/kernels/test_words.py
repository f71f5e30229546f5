"""The structs of program.h and the tables of program_table.py are the same, field by field."""

import re

from onglet.engine import program_table as table
from onglet_build.kernels import SOURCES

HEADER = (SOURCES / "program.h").read_text()
NESTED = {"activation_places": table.PLACES, "part": table.PART, "norm": table.NORM}


def fields(struct: str) -> tuple[str, ...]:
    """The 32-bit words of a struct; a nested one as name.field, an array as name0, name1, ..."""
    body = re.search(rf"^struct {struct} {{\n(.*?)^}};", HEADER, re.M | re.S).group(1)
    words = []
    for line in re.sub(r"/\*.*?\*/", "", body, flags=re.S).splitlines():
        if found := re.match(r"\s*int32_t (\w+);", line):
            words.append(found.group(1))
        elif found := re.match(r"\s*struct (\w+) (\w+);", line):
            words += [f"{found.group(2)}.{name}" for name in NESTED[found.group(1)]]
        elif re.match(r"\s*struct part part\[PARTS\];", line):
            parts = range(table.PARTS)
            words += [f"part{number}.{name}" for number in parts for name in table.PART]
        else:
            assert not line.strip(), line
    return tuple(words)


def enumeration(name: str) -> dict[str, int]:
    body = re.search(rf"enum {name}{{(.*?)}};", HEADER, re.S).group(1)
    values, next_value = {}, 0
    for item in body.split(","):
        label, _, value = (part.strip() for part in item.partition("="))
        next_value = int(value) if value else next_value
        values[label], next_value = next_value, next_value + 1
    return values


def test_header():
    assert fields("program") == table.HEADER
    assert fields("activation_places") == table.PLACES
    assert fields("part") == table.PART
    assert fields("norm") == table.NORM


def test_operations():
    kinds = enumeration("operation_kind ")
    for name, (code, words) in table.OPERATIONS.items():
        assert kinds[name.upper()] == code
        assert fields(name) == words
        assert len(words) <= table.OPERATION_WORDS


def test_numbers():
    assert enumeration("tensor_type ") == {name: code for name, (code, _) in table.TYPES.items()}
    patterns = enumeration("row_pattern ")
    assert patterns == {name.upper(): code for name, code in table.PATTERNS.items()}
    for name in ("ROWS", "BLOCK", "TILE", "SPLIT", "PARTS", "OPERATION_WORDS", "RECENT_LIMIT"):
        value = re.search(rf"\b{name} = (\d+)", HEADER).group(1)
        assert getattr(table, name) == int(value), name
    assert int(re.search(r"PROGRAM_FORMAT = (\d+)", HEADER).group(1)) == table.FORMAT
