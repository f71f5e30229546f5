"""onglet.agents.config and schema: one door, one written form, nothing that cannot be seen."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents import config, schema
from onglet.agents.config import Agent, Model, checked, cleaned, difference, is_clean
from onglet.engine.errors import Refused
from onglet.engine.messages import Sampling

MODEL = Model("SmolLM2-135M-Instruct", "b1" * 32, 102_039_840, "llama", "Q4_1", "Apache-2.0")
AGENT = Agent(
    name="Tutor",
    purpose="Explains sums",
    instructions="Ask one question at a time.\nBe patient.",
    language="en",
    model=MODEL,
    tools=("calculator@1",),
    openings=("What is 3 + 4?",),
    form={"type": "object", "properties": {"answer": {"type": "integer"}}},
)
LINE = some.text(max_size=60).map(cleaned).filter(lambda text: 0 < len(text) <= 60)
AGENTS = some.builds(
    Agent,
    name=LINE,
    instructions=some.text(max_size=300).map(lambda text: cleaned(text, lines=True)[:300]),
    sampling=some.builds(Sampling, temperature=some.floats(0, 2), seed=some.integers(0, 99)),
    openings=some.lists(LINE, max_size=6).map(tuple),
    model=some.sampled_from([None, MODEL]),
)


@given(AGENTS)
def test_what_is_written_is_read_as_the_same_agent(agent):
    again = checked(json.loads(agent.canonical()))
    assert again == agent
    assert (again.canonical(), again.hash) == (agent.canonical(), agent.hash)


def test_the_hash_depends_on_every_field():
    others = {
        "name": "Other", "purpose": "", "instructions": "", "language": "fr", "model": None,
        "sampling": Sampling(seed=7), "max_tokens": 100, "tools": (), "openings": (), "form": None,
        "parent": "ab" * 32, "charter": "Keeps to the subject.",
    }  # fmt: skip
    assert set(others) == {each.name for each in fields(Agent)}
    hashes = {replace(AGENT, **{name: value}).hash for name, value in others.items()}
    assert len(hashes | {AGENT.hash}) == len(others) + 1


def test_an_optional_field_is_written_only_if_it_holds_something():
    assert "charter" not in AGENT.document()
    promised = replace(AGENT, charter="Keeps to the subject.")
    assert checked(promised.document()) == promised
    assert difference(AGENT, promised) == [("charter", "", "Keeps to the subject.")]
    with pytest.raises(Refused):
        checked(AGENT.document() | {"charter": ""})


def test_a_fork_names_its_parent_and_differs_in_nothing_yet():
    fork = AGENT.forked()
    assert fork.parent == AGENT.hash
    assert difference(AGENT, fork) == []
    renamed = replace(fork, name="Mine", max_tokens=64)
    changes = {name: (before, after) for name, before, after in difference(AGENT, renamed)}
    assert changes == {"name": ("Tutor", "Mine"), "max_tokens": (512, 64)}


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "two\nlines"},
        {"name": " spaced"},
        {"name": 3},
        {"instructions": "a" * 8001},
        {"instructions": "hidden \u200b\u2060"},
        {"instructions": "turned \u202e"},
        {"instructions": "tags \U000e0041"},
        {"instructions": "selectors a\ufe00"},
        {"instructions": "not composed e\u0301"},
        {"instructions": "null \0"},
        {"language": "xx"},
        {"language": []},
        {"max_tokens": 10**9},
        {"max_tokens": True},
        {"max_tokens": 64.0},
        {"tools": ["calculator"]},
        {"tools": ["calculator@1", "calculator@2"]},
        {"tools": ["../evil@1"]},
        {"tools": "calculator@1"},
        {"openings": ["x"] * 7},
        {"openings": [""]},
        {"parent": "AB" * 32},
        {"parent": ""},
        {"form": {"type": "string", "pattern": "(a+)+$"}},
        {"form": {"$ref": "#"}},
        {"form": []},
        {"sampling": {}},
        {"sampling": None},
        {"model": {"name": "x"}},
        {"unknown": 1},
        {"onglet": "flow"},
        {"format": 0},
        {"format": "1"},
    ],
)
def test_the_door_refuses(change):
    with pytest.raises(Refused) as refused:
        checked(AGENT.document() | change)
    assert refused.value.code in ("bad_agent", "bad_schema", "not_an_agent")


@pytest.mark.parametrize("name", list(config.SAMPLING))
def test_the_door_bounds_each_number_of_the_sampling(name):
    for value in (-1, 10**12, "1", None, True, float("inf"), float("nan")):
        document = AGENT.document()
        document["sampling"][name] = value
        with pytest.raises(Refused):
            checked(document)


@pytest.mark.parametrize(
    "missing", [each.name for each in fields(Agent) if each.name not in config.OPTIONAL]
)
def test_the_door_wants_every_field(missing):
    document = AGENT.document()
    del document[missing]
    with pytest.raises(Refused):
        checked(document)


@pytest.mark.parametrize(
    "source",
    [
        "http://a.b/c",
        "https://user:word@a.b/",
        "javascript:alert(1)",
        "//a.b",
        "https://a.b/\u202e",
    ],
)
def test_a_model_is_named_by_a_plain_address_or_none(source):
    document = AGENT.document()
    document["model"]["source"] = source
    with pytest.raises(Refused):
        checked(document)
    document["model"]["source"] = "https://models.example/a/b.gguf"
    assert checked(document).model.source.startswith("https://")


def test_a_newer_form_is_named_as_such():
    with pytest.raises(Refused, match="newer_agent"):
        checked(AGENT.document() | {"format": 2})


def test_pictures_may_be_put_together_but_letters_not():
    assert is_clean("👩\u200d🚀 ❤\ufe0f")
    assert not is_clean("a\u200db") and not is_clean("a\ufe0f")


@given(some.text())
def test_what_was_cleaned_is_clean(text):
    assert is_clean(cleaned(text)) and "\n" not in cleaned(text)
    assert is_clean(cleaned(text, lines=True), lines=True)


GOOD = (
    {"type": "string", "maxLength": 5},
    {"enum": ["a", 1, None, True]},
    {"type": "array", "items": {"type": "number"}, "minItems": 1},
    {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1, "maximum": 3}]},
    {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
)
WRONG = (
    None,
    {},
    {"type": ["string", "null"]},
    {"enum": []},
    {"enum": [[1]]},
    {"type": "array"},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 2},
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
    {"type": "string", "format": "uri"},
    {"type": "string", "minItems": 1},
    {"type": "integer", "minimum": 1.5},
    {"type": "string", "maxLength": 10**9},
    {"type": "string", "description": "x" * 9000},
)


@pytest.mark.parametrize("good", GOOD)
def test_a_schema_of_the_part_that_is_understood(good):
    assert schema.problem(good) == ""


@pytest.mark.parametrize("wrong", WRONG)
def test_a_schema_that_is_not_names_the_place(wrong):
    assert schema.problem(wrong)
    nested = {"type": "object", "properties": {"inner": wrong}}
    assert schema.problem(nested) != ""


def test_a_deep_schema_is_refused():
    deep = {"type": "string"}
    for _ in range(2000):
        deep = {"type": "array", "items": deep}
    assert schema.problem(deep)
