"""Runs what is planned while the tab is open, one after the other and each time logged; what was
missed is told, not made up for. In one tab of all. Knows no screen; the session is given.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from onglet.agents import links
from onglet.agents.config import Agent
from onglet.agents.flow import SEQUENCE, Flow, Part, usual_task
from onglet.agents.run import DONE, FAILED, STOPPED, Run
from onglet.agents.schedule import Rule, due
from onglet.browser.bridge import Bridge, Listeners, ServiceFailed
from onglet.engine.errors import Refused
from onglet.vault.notes import Notes
from onglet.vault.schedules import Planned, Ran, Schedules
from onglet.words import explain

LOG = logging.getLogger(__name__)
MISSED = "missed"
LOOKS = 6  # at the clock, a minute
NOTES = 3000  # characters of notes that a run is given


class Clock:
    """Tells listeners of `changed`: a run began or ended, or what is planned is another."""

    def __init__(self, session: Any):
        self.session = session
        self.minute = 60.0  # seconds
        self.running: Planned | None = None
        self._work: asyncio.Task | None = None
        self._alone = False
        self._listeners = Listeners()

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _changed(self) -> None:
        self._listeners.tell("changed", None)

    def start(self, bridge: Bridge, minute: float) -> None:
        self.minute = minute
        self._looking = asyncio.ensure_future(self._look_on(bridge))

    @property
    def schedules(self) -> Schedules | None:
        store = self.session.keeper.open_store
        return Schedules(store) if store else None

    async def _look_on(self, bridge: Bridge) -> None:
        while not self.session.deleted:
            await asyncio.sleep(self.minute / LOOKS)
            try:
                await self.look(bridge, time.time())
            except (Refused, ServiceFailed) as error:
                LOG.info("not looked at: %s", error)
            except Exception:
                LOG.exception("a planned run")  # the next look comes

    async def look(self, bridge: Bridge, now: float) -> None:
        """Runs what is due, and tells what was missed. Raises Refused."""
        schedules = self.schedules
        planned = await schedules.all() if schedules else []
        if not planned:
            return
        self._alone = self._alone or await bridge.call("hold_document", id="schedules")
        for each in planned if self._alone else ():
            if each.paused:
                continue
            found = due(Rule.read(each.rule), each.seen, now, self.minute)
            if found.seen != each.seen:
                gone = [Ran(found.last_missed, MISSED, "", found.missed)] if found.missed else []
                await schedules.seen(each.id, found.seen, *gone)
                self._changed()
            if found.runs:
                await self.run(each)

    async def run(self, planned: Planned) -> None:
        """One run, now, as soon as no answer is under way. Raises Refused if it cannot be kept."""
        if self.running:
            return
        self.running = planned
        self._changed()
        try:
            ran = await self._go(planned)
            if schedules := self.schedules:
                await schedules.log(planned.id, ran)
        finally:
            self.running = self._work = None
            self._changed()

    def stop(self) -> None:
        """Stops the run that is under way; it is logged as stopped."""
        if self._work:
            self._work.cancel()

    async def _go(self, planned: Planned) -> Ran:
        began = time.time()
        try:
            flow = as_flow(links.from_text(planned.document))
        except Refused as refused:
            return Ran(began, FAILED, explain(refused.code, refused.values))
        await self.session.rest()
        await self.session.model.ready()
        store = self.session.keeper.open_store
        if store is None:
            raise Refused("store_locked")
        notes = Notes(store)
        run = Run(flow, await self._question(planned, notes))
        engine = self.session.model.engine
        self._work = asyncio.ensure_future(run.go(engine, lambda: None, notes))
        (ended,) = await asyncio.gather(self._work, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        told = [
            {"name": step.part.agent.name, "prompt": step.said.prompt, "answer": step.answer}
            for step in run.steps
            if step.said.prompt
        ]
        written = json.dumps(told, ensure_ascii=False)
        if problem := next((step.problem for step in run.steps if step.problem), None):
            return Ran(began, FAILED, explain(problem.code, problem.values), 0, written)
        stopped = any(step.state == STOPPED for step in run.steps)
        return Ran(began, STOPPED if stopped else DONE, run.result, 0, written)

    async def _question(self, planned: Planned, notes: Notes) -> str:
        """What is asked, with the notes where they are wanted: the newest first, as many as fit."""
        if not planned.notes:
            return planned.question
        listed, room = [], NOTES
        for text in await notes.texts():
            room -= len(text) + 3
            if room < 0:
                break
            listed.append(f"- {text}")
        return "\n".join([planned.question, "", *listed])


def as_flow(thing: Agent | Flow) -> Flow:
    """An agent alone is a flow of one part."""
    if isinstance(thing, Flow):
        return thing
    return Flow(thing.name, SEQUENCE, (Part(thing, usual_task(SEQUENCE, 0, 1)),))
