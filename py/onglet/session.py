"""What goes on in this tab: the conversation, its answers, and what is kept of them.

Decides what happens and in which order; pages only draw it and pass on what was pressed. Knows
nothing of screens; the bridge may be a stand-in.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from onglet.agents import grounding, loop, steps, trust
from onglet.agents.clock import Clock
from onglet.agents.config import Agent
from onglet.agents.conversation import (
    CHOOSING,
    DONE,
    READING,
    WAITING,
    WRITING,
    Answerer,
    Conversation,
    Turn,
    give_up,
)
from onglet.agents.tools import Here, known, table
from onglet.browser.bridge import Bridge, Listeners, ServiceFailed
from onglet.documents.library import Library
from onglet.documents.search import Hit
from onglet.engine.errors import Refused
from onglet.engine.messages import Tokens
from onglet.model import Model
from onglet.sandbox.programs import Sandbox
from onglet.vault import archive
from onglet.vault.keeper import Keeper
from onglet.vault.notes import Notes

LOG = logging.getLogger(__name__)
LOST = ("kernel_trap", "out_of_memory")  # the model is gone, the engine's worker is not
SAVE_GAP = 1.0  # seconds between two saves of a growing answer
QUIET = 5.0  # seconds without a save after which an unfinished answer counts as interrupted


class Session:
    """Tells listeners of: `turns` (all changed), `turn` (one changed), `words` (an answer grew),
    `outside` (ledger, connection), `facts` (of the browser), `documents` (whether they are asked).
    Model and keeper have listeners of their own."""

    def __init__(self):
        self.conversation = Conversation()
        self.model = Model()
        self.model.on("settled", lambda _: self._answer_waiting())
        self.keeper = Keeper()
        self.documents = Library(self.keeper)
        self.clock = Clock(self)
        self.asks_documents = False  # whether questions are answered from them
        self.collection = ""  # from which of them; empty: from all
        self.settings = loop.Settings()
        self.tools = known()
        self.context_used = 0
        self.first_answered: int | None = None  # the turn that was answered first in this tab
        self.facts: dict = {}
        self.ledger: dict = {"off_origin_requests": 0, "left": 0, "bytes": 0, "entries": []}
        self.online = True
        self.offline_ready: bool | None = None  # None: not known yet
        self.deleted = False  # all that was kept; what ran on it has ended
        self.new_build = False  # a later build of the site waits to be used
        self.bridge: Bridge | None = None
        self._listeners = Listeners()
        self._before: Conversation | None = None  # what undoing a new chat brings back
        self._saves: set[asyncio.Task] = set()
        self._restored = False
        self._answer: asyncio.Task | None = None
        self._permission: asyncio.Future | None = None  # of the tool that somebody is asked about
        self._stopping = False
        self._begun = False  # the answer's task: cancelled before, it would never come to its end

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _tell(self, name: str, value: Any = None) -> None:
        self._listeners.tell(name, value)

    @property
    def busy(self) -> bool:
        return self._answer is not None

    async def start(self, bridge: Bridge) -> None:
        """Connects with the page and with all that runs beside it."""
        self.bridge = bridge
        bridge.on_event("engine_restarted", self._engine_restarted)
        for name in ("ledger", "online", "offline_ready", "new_build"):
            bridge.on_event(name, lambda value, name=name: self._outside(name, value))
        await self.model.start(bridge)
        self.documents.start(bridge)
        self.documents.on("renamed", lambda names: self._renamed(*names))
        self._beside(self._keep(bridge))
        self.facts = await bridge.call("facts")
        self.model.fit_into(self.facts.get("memory"))
        self.online = self.facts["online"]
        self.clock.start(bridge, self.facts.get("minute", 60.0))
        self._tell("facts", self.facts)
        self._outside("ledger", await bridge.call("ledger"))

    def _outside(self, name: str, value: Any) -> None:
        setattr(self, name, value)
        self._tell("outside", name)

    async def use_new_build(self) -> bool:
        """Reloads with the build that waits. False when another tab still uses the old one."""
        return await self.bridge.call("use_new_build")

    async def delete_everything(self) -> list[dict]:
        """Deletes all that this site keeps here; engine and store end. Returns what is left."""
        self.deleted, self.model.lost_as = True, "deleted"
        return await self.bridge.call("delete_everything")

    def _engine_restarted(self, alive: bool) -> None:
        self.context_used = 0

    async def unload(self) -> None:
        self.stop()
        await self.model.unload()

    def _answer_waiting(self) -> None:
        """A question that found no model, or a damaged one, is answered as soon as there is one."""
        last = self.conversation.last
        waits = last and last.problem and last.problem.code in ("no_model", "wrong_hash")
        if self.model.loaded and waits:
            self.regenerate()

    # What is kept

    def _beside(self, work: Coroutine) -> asyncio.Task:
        """Runs work beside everything else, and keeps it from being collected."""
        task = asyncio.ensure_future(work)
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)
        return task

    async def _keep(self, bridge: Bridge) -> None:
        self.keeper.on("state", lambda _: self._kept_state())
        self.keeper.on("wiped", lambda _: self._beside(self._forget()))
        await self.keeper.start(bridge)

    def _kept_state(self) -> None:
        """Locked: nothing of a conversation stays here. Opened: back to the place."""
        if self.keeper.state["protected"]:
            self._beside(self._forget())  # what the model read is under no passphrase
        if self.keeper.locked:
            self.stop()
            self.conversation, self._before, self._restored = Conversation(), None, False
            self._tell("turns")
        elif self.keeper.history and not self._restored:
            self._restored = True
            self._beside(self._restore(self.conversation))

    async def _forget(self, conversation: str | None = None) -> None:
        """Deletes what the engine keeps of a conversation, or of all."""
        try:
            await self.model.engine.forget(conversation)
        except Refused as refused:
            LOG.info("not forgotten: %s", refused)

    async def _restore(self, empty: Conversation) -> None:
        """Shows what this tab showed before it went away, else an answer that was cut short;
        nothing if the person has begun something else than `empty` meanwhile."""
        history = self.keeper.history
        try:
            place = await self.bridge.call("recall_place")
            place = place or await history.interrupted(time.time() - QUIET)
            found = await history.read(place) if place else None
            if found and self.conversation is empty and not empty.tree:
                self._show(Conversation.from_rows(*found))
        except (Refused, ServiceFailed) as error:
            LOG.warning("not restored: %s", error)

    async def open_conversation(self, id: str) -> bool:
        """Shows a conversation that is kept; says whether there is one. Raises Refused."""
        found = await self.keeper.history.read(id)
        if not found or self.busy:
            return False
        self._show(Conversation.from_rows(*found))
        self._before = None
        return True

    def _show(self, conversation: Conversation) -> None:
        self.conversation, self.context_used = conversation, 0
        if conversation.last:
            last = conversation.last
            self.ask_documents(last.sources is not None, last.collection)
        self._remember_place()
        self._tell("turns")

    def _remember_place(self) -> None:
        if self.deleted:
            return
        place = self.conversation.id if self.conversation.tree else ""
        self._beside(self._call("keep_place", value=place))

    async def _call(self, name: str, **arguments: Any) -> None:
        try:
            await self.bridge.call(name, **arguments)
        except ServiceFailed as error:
            LOG.info("%s: %s", name, error)

    def show_branch(self, turn: str) -> None:
        """Shows the branch through a turn."""
        self.conversation.show(turn)
        self._tell("turns")
        if history := self.keeper.history:
            self._beside(history.show(self.conversation.id, self.conversation.shown))

    def rows(self) -> dict[str, list[list]]:
        """The conversation on screen as archive.py has it."""
        shown = self.conversation
        turns = [turn.to_row(shown.id) for turn in shown.tree.values()]
        return archive.rows_of_one(shown.to_row(), turns)

    async def _save(self, conversation: Conversation, turn: Turn) -> None:
        await self.keeper.save(conversation.to_row(), turn.to_row(conversation.id))

    # The conversation

    def ask_documents(self, wanted: bool, collection: str = "") -> None:
        """Whether questions are answered from the documents from now on, and from which."""
        self.asks_documents, self.collection = wanted, collection
        self._tell("documents")

    def _renamed(self, collection: str, name: str) -> None:
        if self.collection == collection:
            self.ask_documents(self.asks_documents, name)

    def ask(self, question: str) -> None:
        self._begin(self.conversation.ask(question))

    def ask_instead(self, question: str, id: str | None = None) -> None:
        """Changes a question (the last one) and has it answered anew, as another branch."""
        self._begin(self.conversation.ask_instead(question, id))

    def regenerate(self) -> None:
        """Another answer to the last question; a different one if there was one."""
        had_answer = bool(self.conversation.last.answer)
        self._begin(self.conversation.ask_again(), differently=had_answer)

    def go_on(self) -> None:
        """Goes on with the last answer where it was cut short."""
        turn = self.conversation.last
        turn.begin()
        self._begin(turn)

    def new_chat(self, undo: bool = True, agent: Agent | None = None) -> None:
        self.stop()
        if not undo:
            self._before = None
        elif self.conversation.turns:
            self._before = self.conversation
        self._restored = True  # whoever begins anew does not want to be led back
        self._show(Conversation(agent=agent))

    def use_agent(self, agent: Agent) -> None:
        """Begins a chat in which an agent answers, with the model that it was made with if that is
        on this device."""
        self.new_chat(agent=agent)
        wanted = agent.model.sha256 if agent.model else ""
        loaded = self.model.loaded
        if wanted and not (loaded and loaded.card.get("sha256") == wanted):
            self.model.load_kept(wanted)

    @property
    def answering(self) -> loop.Settings:
        """How answers are made in the conversation on screen."""
        agent = self.conversation.agent
        if not agent:
            return self.settings
        return loop.Settings(agent.sampling, agent.max_tokens, agent.instructions, agent.form)

    async def delete_conversation(self, id: str) -> None:
        """Throws a kept conversation away; the one on screen leaves it."""
        if id == self.conversation.id:
            self.stop()
            await self.rest()
            self.new_chat(undo=False)
        await self.keeper.history.delete(id)
        self._beside(self._forget(id))

    def renamed(self, id: str, title: str) -> None:
        if id == self.conversation.id:
            self.conversation.title = title

    async def rest(self) -> None:
        """Waits until no answer is under way and all is saved."""
        while self._answer or self._saves:
            await asyncio.wait([*self._saves, *([self._answer] if self._answer else [])])

    def undo_new_chat(self) -> None:
        if self._before and not self.conversation.tree:
            self._show(self._before)
            self._before = None

    def stop(self) -> None:
        """Stops the answer under way; a second time, without waiting for the engine."""
        if not self._answer:
            return
        last = self.conversation.last
        acts = any(step.state == steps.RUNS for step in last.steps)
        cut = self._stopping or self._permission or acts or last.phase == WAITING
        if cut and self._begun:
            self._answer.cancel()
        else:
            self._stopping = True
            self.model.engine.cancel()

    def permit(self, yes: bool) -> None:
        """What the person says to the tool that asks."""
        if self._permission and not self._permission.done():
            self._permission.set_result(yes)

    async def _ask_permission(self) -> bool:
        self._permission = asyncio.get_running_loop().create_future()
        try:
            return await self._permission
        finally:
            self._permission = None

    def _hands(self, conversation: Conversation) -> steps.Hands | None:
        """The tools that may be used in a conversation. Once it holds text of others, tools that
        write ask in any case."""
        agent = conversation.agent
        permissions = agent.permissions() if agent else {}
        tools = tuple(self.tools[name] for name, given in permissions.items() if given != "never")
        if not tools:
            return None
        foreign = trust.holds_text_of_others(agent, conversation.turns)
        asking = {
            tool.name
            for tool in tools
            if permissions[tool.name] == "ask" or (tool.writes and foreign)
        }
        store = self.keeper.open_store
        notes = Notes(store) if store else None
        tables = {}
        for turn in conversation.turns:
            tables |= table.taken_out(turn.question)[1]
        search = self._search if store else None
        here = Here(datetime.now(), notes, tables, search, Sandbox(self.bridge))
        return steps.Hands(tools, frozenset(asking), here, self._ask_permission)

    async def _use_tools(self, conversation: Conversation, turn: Turn, hands: steps.Hands) -> None:
        turn.phase = CHOOSING
        self._tell("turn", turn)
        question, _ = table.taken_out(turn.question)
        self._heed_stop()
        async for _ in steps.taken(self.model.engine, question, hands, turn.steps):
            self._tell("turn", turn)
            await self._save(conversation, turn)

    def _begin(self, turn: Turn, differently: bool = False) -> None:
        self._stopping, self._begun, self._before = False, False, None
        self._remember_place()
        self._answer = asyncio.ensure_future(self._run_answer(turn, differently))
        self._tell("turns")

    async def _run_answer(self, turn: Turn, differently: bool) -> None:
        lost = False
        self._begun = True
        conversation = self.conversation
        try:
            self._heed_stop()
            await self._save(conversation, turn)
            self.keeper.changed()
            if await self._ground(turn):
                loaded = await self.model.ready()
                if self.deleted or not loaded:
                    raise Refused("deleted" if self.deleted else "no_model")
                turn.model = Answerer.read(
                    {"name": loaded.card.get("name"), "key": self.model.source_key}
                )
                await self._write(turn, differently)
        except Refused as refused:
            turn.problem = None if refused.code == "cancelled" else refused
            lost = refused.code in LOST
            if refused.code == "wrong_hash" and self.model.is_site_model:
                self.model.load()  # the host has the right bytes
        except asyncio.CancelledError:
            LOG.info("answer %s given up", turn.id)
        except Exception as error:
            LOG.exception("answer %s", turn.id)
            turn.problem = Refused(type(error).__name__)  # told by the general sentence
        finally:
            turn.phase = DONE
            give_up(turn.steps)
            self._answer = None
            # What is shown as finished is kept.
            await asyncio.wait([self._beside(self._save(conversation, turn))])
            self._tell("turn", turn)
        if lost:
            await self.model.recover()

    async def _search(self, question: str) -> list[Hit]:
        """What the documents say that this chat is about."""
        hits = await self.documents.search(question, self.collection)
        if self.collection and self.collection not in self.documents.collections:
            self.ask_documents(self.asks_documents)  # it is gone, so all were searched
        return hits

    async def _ground(self, turn: Turn) -> bool:
        """Finds what the documents say, if they are asked; whether there is something to answer."""
        if not turn.answer:
            turn.sources = None
        if turn.answer or not self.asks_documents:
            return True
        hits = await self._search(turn.question)
        turn.collection = self.collection
        found = [hit.passage for hit in hits[: grounding.MOST]]
        turn.sources = [
            grounding.Source(p.document, p.name, p.place, p.page, p.headings, p.text, p.seen)
            for p in found
        ]
        return bool(turn.sources)

    def _heed_stop(self) -> None:
        """Raises Refused cancelled for a stop that came when the engine had nothing to stop."""
        if self._stopping:
            raise Refused("cancelled")

    async def _write(self, turn: Turn, differently: bool) -> None:
        conversation = self.conversation
        settings = self.answering
        hands = None if turn.sources else self._hands(conversation)
        if hands and not turn.answer:
            await self._use_tools(conversation, turn, hands)
        turn.phase = READING
        messages = conversation.messages(settings.instructions)
        if turn.sources:
            messages = grounding.messages(turn.question, turn.sources, settings.instructions)
        elif turn.steps:
            messages = steps.messages(messages, turn.steps)
            turn.answer = turn.answer or steps.beginning(turn.steps)
        if settings.form:
            turn.answer = ""  # a form begins at its beginning
        self._tell("turn", turn)
        kept = conversation.id if self.keeper.keeps_openly else None
        how = {"differently": differently, "begun": turn.answer, "conversation": kept}
        self._heed_stop()
        next_save = time.monotonic() + SAVE_GAP
        async for word in loop.answer(self.model.engine, messages, settings, **how):
            if isinstance(word, Tokens):
                turn.phase = WRITING
                turn.answer += word.text
                self._tell("words", (turn, word.text))
                if time.monotonic() > next_save:
                    next_save = time.monotonic() + SAVE_GAP
                    self._beside(self._save(conversation, turn))
            else:
                turn.figures = word
        self.model.speed = turn.figures.decode_tokens_per_second or None
        self.context_used = turn.figures.context_used
        if turn.answer and self.first_answered is None:
            self.first_answered = turn.id
