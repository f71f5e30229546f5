"""What a model thinks is told from what it says, however little of it is there yet."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents.conversation import Conversation
from onglet.agents.thoughts import Parts, begins, split


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("Paris.", Parts("", "Paris.", False)),
        ("<think>\nHm.\n</think>\n\nParis.", Parts("Hm.", "Paris.", False)),
        ("\n<think></think>Paris.", Parts("", "Paris.", False)),
        ("<think>Hm", Parts("Hm", "", True)),
        ("Use <think> in HTML", Parts("", "Use <think> in HTML", False)),
        ("<think>a</think>b</think>c", Parts("a", "b</think>c", False)),
        ("<thin", Parts("", "<thin", False)),
        ("", Parts("", "", False)),
    ],
)
def test_thoughts_come_first(answer, parts):
    assert split(answer) == parts


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("<thi", Parts("", "", False)),
        ("<three", Parts("", "<three", False)),
        ("<think>Hm</thi", Parts("Hm", "", True)),
        ("<think>Hm</think", Parts("Hm", "", True)),
    ],
)
def test_half_a_mark_is_not_shown(answer, parts):
    assert split(answer, done=False) == parts


@given(some.text(max_size=40), some.text(max_size=40), some.integers(0, 100))
def test_what_was_said_only_grows(thoughts, said, cut):
    """Whoever shows a growing answer adds to the words that are there."""
    whole = f"<think>{thoughts.replace('<', '')}</think>{said}"
    part = split(whole[:cut], done=False)
    assert split(whole).said.startswith(part.said)


def test_a_prompt_may_begin_the_thoughts():
    assert begins("<|im_start|>assistant\n<think>\n")
    assert not begins("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_a_model_is_not_reminded_of_its_thoughts():
    conversation = Conversation()
    conversation.ask("Capital?").answer = "<think>Hm.</think>Paris."
    conversation.ask("And?").answer = "<think>No end"
    conversation.ask("Why?")
    assert [message["content"] for message in conversation.messages()] == [
        *("Capital?", "Paris."),
        "Why?",
    ]


def test_an_answer_whose_prompt_began_to_think_begins_with_the_mark(monkeypatch):
    from onglet.agents import loop
    from onglet.engine.messages import Tokens

    class Engine:
        class loaded:
            chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n"
            special_tokens = {}  # noqa: RUF012

        async def generate(self, prompt, sampling, **_):
            yield Tokens(id=1, text="Hm.</think>Paris.", count=4)

    async def words() -> list[str]:
        said = loop.answer(Engine(), [{"role": "user", "content": "?"}], loop.Settings())
        return [word.text async for word in said]

    assert asyncio.run(words()) == ["<think>", "Hm.</think>Paris."]
