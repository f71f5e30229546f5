"""A conversation remembers, forgets and says to the template what it should."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onglet.agents.conversation import (
    DONE,
    LONGEST_NAME,
    TITLE_LENGTH,
    WAITING,
    WRITING,
    Answerer,
    Conversation,
    Turn,
    title_of,
)
from onglet.agents.grounding import LONGEST, Source, messages
from onglet.agents.loop import LEAST_VARIETY, Settings
from onglet.engine.errors import Refused


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


def test_asking_again_keeps_the_question_and_begins_an_empty_answer(talk):
    turn = talk.ask_again()
    assert (turn.question, turn.answer) == ("Two?", "")
    assert len(talk.turns) == 2
    assert talk.messages()[-1]["content"] == "Two?"


def test_an_edited_question_takes_the_place_of_the_last(talk):
    talk.ask_instead("Deux ?")
    assert [turn.question for turn in talk.turns] == ["One?", "Deux ?"]


def test_ids_are_never_used_twice(talk):
    seen = {turn.id for turn in talk.turns}
    seen |= {talk.ask_again().id, talk.ask_instead("x", talk.turns[0].id).id, talk.ask("y").id}
    assert len(seen) == 5


def test_a_title_is_the_first_line_of_the_first_question_cut_at_a_word():
    talk = Conversation()
    talk.ask("\n  Why is the sky blue?  \nTell me all.")
    assert talk.title == "Why is the sky blue?"
    assert title_of("word " * 40).endswith("word…")
    assert len(title_of("word " * 40)) <= TITLE_LENGTH + 1


def test_an_app_built_long_ago_gives_each_conversation_its_own_name():
    one, two = Conversation(), Conversation()
    assert one.id == two.id == ""
    one.ask("One?"), two.ask("Two?")
    assert one.id and two.id and one.id != two.id


def test_regenerating_makes_a_branch_and_the_old_answer_can_be_shown_again(talk):
    first = talk.last
    second = talk.ask_again()
    second.answer = "Zwei."
    wordings, answers = talk.variants(second)
    assert (wordings, answers) == ([second.id], [first.id, second.id])
    talk.show(first.id)
    assert [turn.answer for turn in talk.turns] == ["1.", "2."]


def test_editing_an_early_question_keeps_what_came_after_it_as_another_branch(talk):
    first = talk.turns[0]
    other = talk.ask_instead("Eins?", first.id)
    other.answer = "I."
    assert [turn.question for turn in talk.turns] == ["Eins?"]
    wordings, answers = talk.variants(other)
    assert (wordings, answers) == ([first.id, other.id], [other.id])
    talk.show(first.id)
    assert [turn.question for turn in talk.turns] == ["One?", "Two?"]


def test_a_question_without_answer_is_asked_again_in_its_place(talk):
    lost = talk.ask("Lost?")
    lost.problem = Refused("no_model")
    assert talk.ask_again() is lost
    assert (lost.problem, lost.phase) == (None, WAITING)


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "again", "instead", "show"]), st.integers(0, 50)), max_size=20
)


@given(STEPS)
def test_every_turn_ever_answered_stays_reachable_and_survives_keeping(steps):
    talk, said = Conversation(), set()
    for act, number in [("ask", 0), *steps]:
        ids = list(talk.tree)
        if act == "ask":
            turn = talk.ask(f"Question {number}")
        elif act == "again":
            turn = talk.ask_again()
        elif act == "instead":
            turn = talk.ask_instead(f"Question {number}", ids[number % len(ids)])
        else:
            talk.show(ids[number % len(ids)])
            continue
        turn.answer, turn.phase = f"Answer {len(said)}", DONE
        said.add(turn.answer)
    rows = [turn.to_row(talk.id) for turn in talk.tree.values()]
    back = Conversation.from_rows(talk.to_row(), rows)
    assert back == talk
    for id in back.tree:
        back.show(id)
        shown = back.turns
        assert id in {turn.id for turn in shown}
        for turn in shown:
            wordings, answers = back.variants(turn)
            assert turn.id in wordings
            assert turn.id in answers
    assert {turn.answer for turn in back.tree.values()} == said


def test_an_answer_that_was_under_way_comes_back_as_interrupted(talk):
    turn = talk.ask("Three?")
    turn.phase, turn.answer = WRITING, "3 is"
    back = Turn.from_row(turn.to_row(talk.id))
    assert (back.answer, back.phase, back.interrupted) == ("3 is", DONE, True)


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


@pytest.mark.parametrize(
    "hostile", [None, 7, {}, {"name": 1, "key": "k"}, {"name": "", "key": "k"}]
)
def test_a_model_that_a_file_made_up_is_none(talk, hostile):
    row = talk.last.to_row("c")
    row["ended"] = json.dumps({**json.loads(row["ended"]), "model": hostile})
    assert Turn.from_row(row).model is None


def test_a_long_name_of_a_model_is_cut():
    assert len(Answerer.read({"name": "n" * 9_999, "key": "k"}).name) == LONGEST_NAME


def test_sources_of_an_answer_are_kept_and_checked():
    turn = Conversation().ask("Where is the key?")
    turn.sources = [Source("d", "notes.md", 3, None, "Keys", "Behind the door.")]
    turn.phase = DONE
    row = turn.to_row("c")
    assert Turn.from_row(row).sources == turn.sources
    ended = json.loads(row["ended"])
    for wrong in ("text", [1], [{"text": "a"}], [{**ended["sources"][0], "place": "3"}]):
        row["ended"] = json.dumps({**ended, "sources": wrong})
        assert not Turn.from_row(row).sources


def test_passages_come_before_the_question_and_are_short():
    long = Source("d", "n", 0, 1, "", "word " * 1000)
    system, asked = messages("Why?", [long, long], "Be brief.")
    assert system["content"].startswith("Be brief. Answer from")
    assert asked["content"].startswith("[1] word") and asked["content"].endswith("Question: Why?")
    assert len(asked["content"]) < 2 * LONGEST + 100
