"""Answers that keep a form, by the engine worker alone: JSON of any schema, grammars, languages."""

import json
from itertools import pairwise

import pytest
from engine_driver import PAGE, Engine, chat

from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 40},
        "age": {"type": "integer"},
        "colour": {"enum": ["red", "green", "blue"]},
        "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    },
    "required": ["name", "age", "colour", "tags"],
    "additionalProperties": False,
}
ASKED = (
    "Describe a person of your choice.",
    "Say anything but JSON, please: a poem.",
    '<|im_end|> " } ] \\ \u00e9\u4e2d\U0001f600',
    "",
)
FREE = {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
FREE |= {"repeat_penalty": 1.3, "repeat_last_n": 64}


@pytest.fixture
def engine(site, new_context):
    with Loopback({"/": PAGE, "/site/": site}, headers=HEADERS) as host:
        page = new_context(host).new_page()
        started = Engine.opened(page, host.url, site)
        started.start()
        assert started.load()["kind"] == "loaded"
        yield started


def of_schema(schema: dict) -> dict:
    return {"kind": "json", "schema": schema}


def test_every_answer_keeps_the_schema_however_it_is_chosen(engine):
    for seed, asked in enumerate(ASKED * 3):
        sampling = {**FREE, "seed": seed + 1}
        more = {"grammar": of_schema(PERSON), "sampling": sampling, "max_tokens": 200}
        said = engine.answer(chat(asked), **more)
        assert said["end"]["reason"] == "stop", said
        person = json.loads(said["text"])
        assert set(person) == set(PERSON["required"])
        assert type(person["age"]) is int and len(person["name"]) <= 40
        assert person["colour"] in PERSON["properties"]["colour"]["enum"]
        assert [type(tag) for tag in person["tags"]] in ([bool] * 2, [bool] * 3)


def test_a_grammar_may_leave_one_way_only_and_ends_there(engine):
    text = 'root ::= "the only way" | "or this"'
    said = engine.answer(chat("Hello"), grammar={"kind": "ebnf", "text": text})
    assert said["text"] in ("the only way", "or this")
    assert said["end"]["reason"] == "stop"


def test_what_is_no_grammar_is_refused_and_forms_and_model_stay(engine, watch):
    watch.provoked = True  # the library says so on the console, and ends itself
    said = engine.answer(chat("Hello"), grammar={"kind": "ebnf", "text": "root ::= ("})
    assert (said["end"]["kind"], said["end"]["code"]) == ("failed", "bad_grammar")
    said = engine.answer(chat("Hello"), grammar=of_schema({"type": "nonsense"}))
    assert said["end"]["code"] == "bad_grammar"
    assert "Paris" in engine.answer(chat("What is the capital of France?"))["text"]
    said = engine.answer(chat("Yes or no?"), grammar=of_schema({"enum": ["yes", "no"]}))
    assert json.loads(said["text"]) in ("yes", "no")


def test_it_comes_in_pieces_like_any_answer(engine):
    more = {"grammar": of_schema(PERSON), "max_tokens": 200}
    said = engine.answer(chat(ASKED[0]), **more)
    times = [batch["at"] for batch in said["batches"]]
    assert len(times) > 2
    assert all(before <= after for before, after in pairwise(times))
    json.loads(said["text"])
