"""Programs ask the model: the door lets through what is right, the desk answers in OpenAI's shapes,
the console tells every question its end, and client.py understands it."""

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as any_of
from stand_in_tab import Tab, plays, settle

from onglet.agents import completions
from onglet.agents.console import Console
from onglet.engine.errors import Refused
from onglet.sandbox import client

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
FORM = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
RESULT = {"text": "", "value": "", "error": None, "table": None, "figures": []}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "root", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": "1"}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"n": 2}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stream": 1}, "stream"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{}]}, "tools"),
    ],
)
def test_what_is_wrong_is_named(change, field):
    with pytest.raises(Refused) as refused:
        completions.read("chat.completions", HELLO | change)
    assert (refused.value.code, refused.value.values) == ("bad_request", {"field": field})
    assert completions.problem(refused.value, "No.")["error"] == {
        "message": "No.", "type": "invalid_request_error", "code": "bad_request", "param": field,
    }  # fmt: skip


JSON = any_of.recursive(
    any_of.none() | any_of.booleans() | any_of.floats() | any_of.text(),
    lambda inner: any_of.lists(inner) | any_of.dictionaries(any_of.text(), inner),
)
FIELDS = any_of.sampled_from([*completions.CHAT_FIELDS, "input", "other"])


@given(JSON | any_of.sampled_from(list(completions.DOORS)), any_of.dictionaries(FIELDS, JSON))
def test_the_door_holds_against_anything(path, body):
    try:
        completions.read(path, body)
    except Refused as refused:
        assert refused.code in ("bad_request", "bad_schema", "request_too_long")


def test_what_is_too_long_or_no_form_is_refused():
    with pytest.raises(Refused, match="request_too_long"):
        completions.read("embeddings", {"input": "a" * completions.LONGEST})
    format = {"type": "json_schema", "json_schema": {"schema": {"type": "spoon"}}}
    with pytest.raises(Refused, match="bad_schema"):
        completions.read("chat.completions", HELLO | {"response_format": format})


class Inside:
    """A console whose program is in the test's hands, with client.py on its side."""

    async def start(self):
        self.tab = await Tab().start()
        await self.tab.load()
        self.program = asyncio.get_running_loop().create_future()
        self.lasts = 0
        vector = base64.b64encode(bytes([127, 129])).decode()
        self.tab.bridge.call = self._call
        self.tab.session.documents.vectors = lambda texts: self._given([vector] * len(texts))
        self.console = Console(self.tab.session, lambda: None)
        self.console.run("1")
        await settle()
        self.client = client.Client(self.console.hear)
        return self

    async def _given(self, value):
        return value

    async def _call(self, name, **arguments):
        if name == "answer_console":
            self.lasts += arguments["last"]
            self.client.hear(arguments["text"])
        return await self.program if name == "run_console" else True

    def begin(self, **body):
        return asyncio.ensure_future(self.client.chat.completions.create(**HELLO, **body))


@plays
async def test_a_completion_has_the_shape_of_the_openai_package():
    inside = await Inside().start()
    schema = {"type": "json_schema", "json_schema": {"schema": FORM}}
    asked = inside.begin(temperature=0, seed=7, stop="x", max_tokens=9, response_format=schema)
    await settle()
    sent = inside.tab.asked("generate")[-1]
    assert sent["prompt"] == "<user>Hello"
    assert (sent["stop"], sent["max_tokens"], sent["sampling"]["seed"]) == (["x"], 9, 7)
    assert sent["grammar"]["schema"] == FORM
    await inside.tab.answer("Hi", " there", reason="length")
    answer = await asked
    assert answer.choices[0].message.content == "Hi there"
    assert (answer.choices[0].finish_reason, answer.usage.total_tokens) == ("length", 5)
    assert (answer.object, answer.model) == ("chat.completion", "Tiny")
    assert (await inside.client.models.list()).data[0].id == "Tiny"
    vectors = await inside.client.embeddings.create(input=["a", "b"])
    assert [each.embedding for each in vectors.data] == [[1.0, -1.0]] * 2
    assert (inside.console.cells[0].asked, inside.lasts) == (3, 3)


@plays
async def test_one_at_a_time_and_a_stream_that_is_left_stops_the_model():
    inside = await Inside().start()
    chunks = await inside.begin(stream=True)
    first = asyncio.ensure_future(anext(chunks))
    await settle()
    second = inside.begin()
    await settle()
    assert len(inside.tab.asked("generate")) == 1
    await inside.tab.says("tokens", "generate", text="One", count=1)
    assert (await first).choices[0].delta.content == "One"
    await chunks.aclose()
    await settle()
    assert inside.tab.asked("cancel")[-1]["target"] == inside.tab.asked("generate")[0]["id"]
    assert len(inside.tab.asked("generate")) == 2
    await inside.tab.answer("Two")
    assert (await second).choices[0].message.content == "Two"
    assert inside.lasts == 2


@plays
async def test_errors_are_told_and_hostile_texts_are_not_heard():
    inside = await Inside().start()
    with pytest.raises(client.APIError, match="temperature") as raised:
        await inside.begin(temperature=9)
    assert (raised.value.code, raised.value.type) == ("bad_request", "invalid_request_error")
    for text in ("", "[]", "{}", '{"kind": "ask", "id": "x"}', "[" * 100_000, "null"):
        inside.console.hear(text)
    many = [inside.begin() for _ in range(9)]
    await settle()
    with pytest.raises(client.APIError, match="8 requests"):
        await many[8]
    inside.program.set_result({"value": json.dumps(RESULT)})
    await settle()
    assert not inside.console.busy
    assert inside.tab.asked("cancel")
    for each in many[:8]:
        each.cancel()
