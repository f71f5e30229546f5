"""onglet.agents.editing: fields from the class of an agent, an agent from what was typed."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from test_config import AGENT, AGENTS, MODEL

from onglet.agents import config
from onglet.agents.config import Agent, Model, checked
from onglet.agents.editing import LOADED, NONE, Draft, form
from onglet.agents.tools import known

OTHER = replace(MODEL, name="Other", sha256="c2" * 32)


def named(agent: Agent, loaded: Model | None = None) -> dict:
    return {field.name: field for field in form(agent, loaded)}


def test_every_field_of_the_class_can_be_filled_in():
    tops = {name.partition(".")[0] for name in named(AGENT)}
    assert tops == {each.name for each in fields(Agent)} - {"parent"}
    assert {f"tools.{name}" for name in known()} <= set(named(AGENT))
    assert {f"sampling.{name}" for name in config.SAMPLING} <= set(named(AGENT))


@given(AGENTS)
def test_typing_what_is_there_changes_nothing(agent):
    draft = Draft(agent)
    for field in draft.form():
        draft.set(field.name, field.value)
    assert draft.agent == agent and not draft.changed and draft.problem is None


@given(some.text(max_size=9000))
def test_whatever_is_typed_gives_an_agent_or_a_problem(typed):
    for name in ("name", "instructions", "openings", "form"):
        draft = Draft(AGENT)
        draft.set(name, typed)
        assert checked(draft.agent.document()) == draft.agent
        assert draft.problem is None or draft.agent == AGENT


def test_what_is_wrong_is_told_and_the_last_good_state_stays():
    draft = Draft(AGENT)
    draft.set("name", "")
    assert (draft.problem.code, draft.wrong, draft.agent) == ("bad_agent", "name", AGENT)
    draft.set("max_tokens", 64)
    assert draft.wrong == "name" and draft.changed
    draft.set("name", "  Two\nlines ")
    assert draft.problem is None
    assert (draft.agent.name, draft.agent.max_tokens) == ("Two lines", 64)
    draft.set("form", '{"type": ')
    assert (draft.problem.code, draft.wrong) == ("bad_schema", "form")
    draft.set("form", " ")
    assert draft.agent.form is None


def test_what_cannot_be_seen_is_left_out_of_what_is_pasted():
    draft = Draft(AGENT)
    draft.set("instructions", "Be\u200b kind\u202e.\r\nAlways.")
    assert draft.agent.instructions == "Be kind.\nAlways."


def test_tools_are_chosen_one_by_one_in_their_order():
    draft = Draft(replace(AGENT, tools=("table@1", "unknown@3")))
    draft.set("tools.remember", "free")
    draft.set("tools.table", "ask")
    assert draft.agent.tools == ("table@1:ask", "unknown@3", "remember@1:free")
    assert named(draft.agent)["tools.table"].value == "ask"
    draft.set("tools.table", NONE)
    draft.set("tools.calculator", "free")
    assert draft.agent.tools == ("unknown@3", "remember@1:free", "calculator@1")


@pytest.mark.parametrize(
    ("name", "typed", "wanted"),
    [("temperature", 1, 1.0), ("top_k", 7.0, 7), ("seed", 12, 12)],
)
def test_numbers_are_as_the_door_wants_them(name, typed, wanted):
    draft = Draft(AGENT)
    draft.set(f"sampling.{name}", typed)
    value = getattr(draft.agent.sampling, name)
    assert value == wanted and type(value) is type(wanted)


def test_an_agent_is_tied_to_the_loaded_model_and_let_go():
    draft = Draft(AGENT, OTHER)
    assert named(AGENT, OTHER)["model"].choices == ("any", "same", LOADED)
    draft.set("model", LOADED)
    assert draft.agent.model == OTHER
    draft.set("model", "same")
    assert draft.agent.model == MODEL
    draft.set("model", "any")
    assert draft.agent.model is None


def test_a_card_becomes_a_model_that_the_door_takes():
    card = {"name": "A\u202e b", "sha256": "ab" * 32, "file_bytes": 9, "license": None}
    model = Model.of_card(card, "site")
    assert checked(replace(AGENT, model=model).document()).model == model
    assert (model.name, model.licence, model.source) == ("A b", "", "site")
