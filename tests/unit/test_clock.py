"""onglet.agents.clock: what is planned runs once, alone, logged, and writes nothing."""

import asyncio
import json
import time

import pytest
from stand_in_tab import plays, settle
from test_flow import made
from test_tool_use import HANDY, NOTE, REMEMBER, ToolTab

from onglet.agents.clock import Clock
from onglet.agents.config import Agent
from onglet.agents.flow import JUDGE
from onglet.browser.bridge import StandIn
from onglet.vault.schedules import Schedules

AGENT = Agent("Summary", instructions="Summarize.")
MINUTE = 60.0


class Planning(ToolTab):
    async def plan(self, thing, question="Sum up", notes=False, rule="every 5"):
        """`thing` may be a text that is none."""
        await self.begin()
        self.clock = Clock(self.session)
        self.schedules = Schedules(self.session.keeper.open_store)
        document = thing if isinstance(thing, str) else thing.canonical()
        await self.schedules.add(document, question, notes, rule)
        (self.planned,) = await self.schedules.all()
        self.start = self.planned.seen
        return self

    async def look(self, minutes: float, alone: bool = True):
        """A look at the clock so many minutes after the plan was made."""
        page = StandIn(hold_document=lambda id: alone)
        self.task = asyncio.ensure_future(self.clock.look(page, self.start + minutes * MINUTE))
        await settle()
        await settle()

    async def runs(self):
        return await self.schedules.runs(self.planned.id)


@plays
async def test_it_runs_when_it_is_due_with_the_notes_and_is_logged():
    tab = await Planning().plan(AGENT, notes=True)
    await tab.notes.add("Milk is out")
    await tab.look(4)
    assert not tab.asked("generate")
    await tab.look(5.1)
    assert "Sum up\n\n- Milk is out" in tab.prompt and tab.clock.running
    await tab.answer("Buy milk.")
    await tab.task
    (ran,) = await tab.runs()
    assert (ran.state, ran.answer) == ("done", "Buy milk.") and ran.began > time.time() - 60
    (step,) = json.loads(ran.steps)
    assert step == {"name": "Summary", "prompt": tab.prompt, "answer": "Buy milk."}
    await tab.look(5.2)
    assert len(tab.asked("generate")) == 1 and not tab.clock.running


@plays
async def test_a_closed_tab_makes_no_storm():
    tab = await Planning().plan(AGENT)
    await tab.look(5 * 100 - 5 + 5.5 + 0.1)  # 100 were due, the last one 36 s ago
    await tab.answer("Once.")
    await tab.task
    done, missed = sorted(await tab.runs(), key=lambda ran: ran.state)
    assert (done.state, missed.state, missed.missed) == ("done", "missed", 99)
    await tab.look(5 * 101 + 6 * 5)
    assert len(tab.asked("generate")) == 2


@plays
async def test_only_one_tab_runs_and_what_is_paused_rests():
    tab = await Planning().plan(AGENT)
    await tab.look(5.1, alone=False)
    assert not tab.asked("generate")
    await tab.schedules.pause(tab.planned.id, True)
    await tab.look(5.1)
    assert not tab.asked("generate") and await tab.runs() == []


@plays
async def test_it_waits_for_the_chat_and_can_be_stopped():
    tab = await Planning().plan(made(JUDGE, 3))
    tab.session.new_chat()
    await tab.ask("Why?")
    await tab.look(5.1)
    assert len(tab.asked("generate")) == 1  # the chat's
    await tab.answer("So.")
    await settle()
    assert len(tab.asked("generate")) == 2
    tab.clock.stop()
    await tab.task
    (ran,) = await tab.runs()
    assert ran.state == "stopped" and not tab.clock.running


@plays
async def test_nothing_is_written_whatever_the_agent_permits():
    tab = await Planning().plan(HANDY.permitting("remember", "free"), REMEMBER)
    await tab.look(5.1)
    await tab.choose("remember", **NOTE)
    await tab.answer("")
    await tab.task
    assert (await tab.runs())[0].answer == "The tool remember was not used."
    assert await tab.notes.texts() == []


@pytest.mark.parametrize("text", ["{}", "no JSON", AGENT.canonical() + " "])
def test_what_is_no_agent_fails_and_is_logged(text):
    @plays
    async def play():
        tab = await Planning().plan(text)
        await tab.look(5.1)
        await tab.task
        (ran,) = await tab.runs()
        assert ran.state == "failed" and ran.answer and not tab.asked("generate")

    play()
