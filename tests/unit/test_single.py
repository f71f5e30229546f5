"""onglet.agents.single: one question to one agent, with tools, and with nobody to ask."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from stand_in_tab import plays, settle
from test_tool_use import HANDY, NOTE, REMEMBER, ToolTab

from onglet.agents import single, steps
from onglet.agents.config import Agent
from onglet.engine.errors import Refused


async def asks(tab, agent, question, **how):
    task = asyncio.ensure_future(single.said(tab.session.model.engine, agent, question, **how))
    await settle()
    return task


@plays
async def test_an_agent_answers_outside_of_any_chat():
    tab = await ToolTab().begin()
    heard = []
    agent = Agent("A", instructions="Be brief.", max_tokens=32)
    task = await asks(tab, agent, "What is a tab?", on_text=heard.append)
    request = tab.asked("generate")[-1]
    assert request["prompt"] == "<system>Be brief.<user>What is a tab?"
    assert (request["max_tokens"], request["conversation"]) == (32, None)
    await tab.answer("A ", "browser tab. ")
    assert (await task).text == "A browser tab."
    assert heard == ["A ", "A browser tab. "]
    assert tab.session.conversation.tree == {}


@plays
async def test_tools_run_and_what_writes_does_not():
    tab = await ToolTab().begin()
    task = await asks(tab, HANDY, "Convert 12 inches to feet", notes=tab.notes)
    await tab.choose("convert", amount=12, unit="inch", to="foot")
    await tab.answer("")
    assert (await task).text == "12 inches = 1 foot."
    free = HANDY.permitting("remember", "free")
    task = await asks(tab, free, REMEMBER, notes=tab.notes)
    await tab.choose("remember", **NOTE)
    await tab.answer("")
    said = await task
    assert said.steps[0].state == steps.REFUSED and await tab.notes.texts() == []
    assert said.text == "The tool remember was not used."


@plays
async def test_stopping_ends_it():
    tab = await ToolTab().begin()
    task = await asks(tab, replace(HANDY, tools=()), "Why?")
    await tab.answer("Beca", reason="cancelled")
    with suppress(Refused):
        await task
    assert isinstance(task.exception(), Refused)
