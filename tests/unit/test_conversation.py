"""A conversation remembers, forgets and says to the template what it should."""

import pytest

from onglet.agents.conversation import Conversation
from onglet.agents.loop import LEAST_VARIETY, Settings


@pytest.fixture
def talk():
    conversation = Conversation()
    for question, answer in (("One?", "1."), ("Two?", "2.")):
        conversation.ask(question).answer = answer
    return conversation


def roles(messages):
    return [message["role"] for message in messages]


def test_messages_take_turns_and_end_with_the_last_question(talk):
    talk.ask("Three?")
    messages = talk.messages("Be brief.")
    assert roles(messages) == ["system", *["user", "assistant"] * 2, "user"]
    assert messages[0]["content"] == "Be brief."
    assert messages[-1]["content"] == "Three?"


def test_no_instructions_no_system_message(talk):
    assert roles(talk.messages("  "))[0] == "user"


def test_a_question_without_answer_is_left_out_later(talk):
    talk.ask("Lost?")
    talk.ask("Three?")
    contents = [message["content"] for message in talk.messages()]
    assert "Lost?" not in contents
    assert contents[-1] == "Three?"


def test_asking_again_keeps_the_question_and_drops_the_answer(talk):
    turn = talk.ask_again()
    assert (turn.question, turn.answer) == ("Two?", "")
    assert len(talk.turns) == 2
    assert talk.messages()[-1]["content"] == "Two?"


def test_an_edited_question_takes_the_place_of_the_last(talk):
    talk.ask_instead("Deux ?")
    assert [turn.question for turn in talk.turns] == ["One?", "Deux ?"]


def test_ids_are_never_used_twice(talk):
    seen = {turn.id for turn in talk.turns}
    seen |= {talk.ask_again().id, talk.ask_instead("x").id, talk.ask("y").id}
    assert len(seen) == 5


def test_undo_brings_a_cleared_conversation_back(talk):
    talk.clear()
    assert talk.last is None
    talk.undo()
    assert [turn.question for turn in talk.turns] == ["One?", "Two?"]


def test_undo_after_a_new_question_does_nothing(talk):
    talk.clear()
    talk.ask("New?")
    talk.undo()
    assert [turn.question for turn in talk.turns] == ["New?"]


def test_sampling_takes_a_new_seed_each_time_unless_one_is_chosen():
    settings = Settings()
    assert len({settings.draw().seed for _ in range(5)}) > 1
    assert settings.changed("seed", 7).draw().seed == 7


def test_another_answer_is_never_greedy():
    greedy, varied = (Settings().changed("temperature", value) for value in (0, 1))
    assert greedy.draw().temperature == 0
    assert greedy.draw(differently=True).temperature == LEAST_VARIETY
    assert varied.draw(differently=True).temperature == 1


def test_one_setting_changes_and_the_others_stay():
    settings = Settings().changed("max_tokens", 9).changed("top_k", 3)
    assert (settings.value("max_tokens"), settings.value("top_k")) == (9, 3)
    assert settings.value("instructions") == Settings().instructions
