"""Documented, or red: every message, field, operation, architecture and error code."""

import dataclasses
import json
import re

import pytest

from onglet.engine import messages
from onglet.engine.models import ARCHITECTURES
from onglet.engine.plan import OPERATIONS, Plan
from onglet_build.places import PY, ROOT, WEB

PROTOCOLS = (ROOT / "docs" / "protocols.md").read_text("utf-8")
PARTS = re.split(r"^## ", PROTOCOLS, flags=re.M)[1:]
SECTIONS = {part.partition(".")[0]: part for part in PARTS}
RAISED = re.compile(r"""(?:Refused|Failure|Failed)\(\s*(?:[\w.]+, )?["'](\w+)["']""")


def named(section: str) -> set[str]:
    """Every word between backticks or quotes in a section."""
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", SECTIONS[section]))))


def rows(section: str) -> dict[str, str]:
    """The tables of a section: first cell -> whole line."""
    lines = re.findall(r"^\| `(\w+)` \|.*$", SECTIONS[section], flags=re.M)
    found = re.findall(r"^\| `\w+` \|.*$", SECTIONS[section], flags=re.M)
    return dict(zip(lines, found, strict=True))


def raised() -> set[str]:
    """Every error code that code in py/onglet or web/ names."""
    files = [*(PY / "onglet").rglob("*.py"), *WEB.rglob("*.js")]
    return {code for path in files for code in RAISED.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize("kind", messages.MESSAGES)
def test_every_message_and_field_is_documented(kind):
    line = rows("5")[kind]
    for field in dataclasses.fields(messages.MESSAGES[kind]):
        if (kind, field.name) != ("prepared", "refused"):
            assert field.name == "id" or f"`{field.name}" in line or f"{field.name}," in line, line


def test_no_message_is_documented_that_is_none():
    assert set(rows("5")) == set(messages.MESSAGES)


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_and_field_is_documented(op):
    line = rows("1")[op]
    for field in dataclasses.fields(OPERATIONS[op]):
        assert f"`{field.name}`" in line


def test_every_part_of_a_plan_is_documented():
    for field in dataclasses.fields(Plan):
        assert f'"{field.name}"' in SECTIONS["1"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_documented(architecture):
    assert f"`{architecture}`" in SECTIONS["1"]


def test_every_error_code_is_documented_and_has_its_sentence():
    words = json.loads((PY / "onglet" / "words" / "en.json").read_text("utf-8"))
    for code in raised():
        assert code in named("8"), code
        assert f"error.{code}" in words, code
