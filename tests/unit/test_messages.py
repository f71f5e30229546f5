"""Messages survive the way to a plain object and back; what is not as agreed is said aloud."""

import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.engine import messages
from onglet.engine.messages import BadMessage, Generate, Load, Sampling, from_dict, to_dict

VALUES = {
    int: some.integers(0, 2**53),
    float: some.floats(allow_nan=False),
    str: some.text(),
    bool: some.booleans(),
    bytes: some.binary(),
    dict: some.dictionaries(some.text(), some.integers()),
    list: some.lists(some.text()),
    type(None): some.none(),
}


def instances(kind: type) -> some.SearchStrategy:
    """Messages of a kind with any values that its types allow."""
    hints = typing.get_type_hints(kind)
    fields = {field.name: values(hints[field.name]) for field in dataclasses.fields(kind)}
    if kind is Load:
        fields["source"] = some.just({"kind": "file", "key": "k"})
    if kind is Generate:
        forms = [None, {"kind": "json", "schema": {}}, {"kind": "ebnf", "text": "root ::= [a-z]"}]
        fields["grammar"] = some.sampled_from(forms)
    return some.builds(kind, **fields)


def values(hint) -> some.SearchStrategy:
    if dataclasses.is_dataclass(hint):
        return instances(hint)
    return some.one_of(*(VALUES[kind] for kind in typing.get_args(hint) or (hint,)))


@given(some.one_of(*(instances(kind) for kind in messages.MESSAGES.values())))
def test_there_and_back(message):
    assert from_dict(to_dict(message)) == message


def test_a_whole_number_may_stand_for_a_number():
    plain = to_dict(Generate(1, "", [], Sampling(), 5))
    plain["sampling"] |= {"temperature": 1}
    assert from_dict(plain).sampling.temperature == 1.0


def test_header_bytes_may_come_as_a_view():
    view = {"kind": "header", "id": 1, "bytes": memoryview(b"GGUF"), "file_bytes": 4, "name": "a"}
    assert from_dict(view).bytes == b"GGUF"


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"kind": "love"},
        {"kind": "unload"},
        {"kind": "unload", "id": "1"},
        {"kind": "unload", "id": True},
        {"kind": "unload", "id": 1, "more": 1},
        {"kind": "tokenize", "id": 1, "text": None},
        {"kind": "load", "id": 1, "source": {"kind": "moon", "key": "k"}},
        {"kind": "load", "id": 1, "source": {"kind": "file", "path": "k"}},
        {"kind": "load", "id": 1, "source": {"kind": "file", "key": "k", "path": "p"}},
    ],
)
def test_what_is_not_as_agreed_is_refused(plain):
    with pytest.raises(BadMessage):
        from_dict(plain)


def test_a_wrong_field_is_noticed_before_it_is_sent():
    with pytest.raises(BadMessage, match="target"):
        to_dict(messages.Cancel(1, "two"))


def test_the_javascript_table_names_every_message_and_field():
    text = messages.javascript_table()
    tables = {}
    for part in text.split("export const ")[1:]:
        name, _, table = part.partition(" = Object.freeze(")
        tables[name] = json.loads(table.rsplit(");", 1)[0])
    assert list(tables) == ["REQUESTS", "REPLIES"]
    both = tables["REQUESTS"] | tables["REPLIES"]
    assert set(both) == set(messages.MESSAGES)
    for kind, fields in both.items():
        assert list(fields) == [f.name for f in dataclasses.fields(messages.MESSAGES[kind])]
    assert both["load"]["context"] == "integer?"
    assert both["generate"]["sampling"]["temperature"] == "number"


@pytest.mark.parametrize(
    "grammar",
    [
        {},
        {"kind": "json"},
        {"kind": "json", "schema": "{}"},
        {"kind": "ebnf", "text": "", "more": 1},
    ],
)
def test_a_grammar_is_of_one_of_two_kinds(grammar):
    with pytest.raises(BadMessage, match="no such grammar"):
        Generate(1, "", [], Sampling(), 1, None, grammar)
