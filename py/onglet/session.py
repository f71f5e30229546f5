"""What goes on in this tab: the model, its loading, the conversation and its answers.

Decides what happens and in which order; pages only draw it and pass on what was pressed. Knows
nothing of screens; the bridge may be a stand-in.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from onglet.agents import gallery, grounding, loop, steps
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
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Load, Loaded, Progress, Sampling, Tokens
from onglet.library import fit
from onglet.vault.keeper import Keeper
from onglet.vault.notes import Notes

LOG = logging.getLogger(__name__)
NEWS = 0.1  # seconds between two reports of a load
SHORTER_CONTEXTS = (2048, 1024, 512)  # tokens: what is tried when there is too little memory
LOST = ("kernel_trap", "out_of_memory")  # the model is gone, the engine's worker is not
DEATHS_TO_SHORTER = 3  # the page takes one thread after the second (web/page/engine.js)
SETTLED = 0.3  # seconds before a download speed means something
SAVE_GAP = 1.0  # seconds between two saves of a growing answer
COUNTING, MEASURED_TOKENS = "1 2 3 4 5 6 7 8 9 10 11 12", 64  # what a speed is measured on
HASH = re.compile(r"[0-9a-f]{64}")
QUIET = 5.0  # seconds without a save after which an unfinished answer counts as interrupted


@dataclass
class Loading:
    """How far a model has come."""

    stage: str = ""  # "" until the engine reports; then download or prepare
    received: int = 0
    total: int | None = None
    began: float = field(default_factory=time.monotonic)
    first: int | None = None  # bytes that were there at the first report
    _told: tuple[str, float] = ("", 0.0)

    def hear(self, progress: Progress) -> None:
        if self.first is None:
            self.first, self.began = progress.received, time.monotonic()
        self.stage, self.received, self.total = progress.stage, progress.received, progress.total

    def is_news(self) -> bool:
        """Whether it is time to tell again: a new stage, or a tenth of a second later."""
        now = time.monotonic()
        if self.stage == self._told[0] and now - self._told[1] < NEWS:
            return False
        self._told = (self.stage, now)
        return True

    @property
    def speed(self) -> float | None:
        """Bytes per second."""
        elapsed = time.monotonic() - self.began
        fresh = self.received - (self.first or 0)
        return fresh / elapsed if elapsed > SETTLED and fresh > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds, if it goes on like this."""
        speed = self.speed
        return (self.total - self.received) / speed if speed and self.total else None


class Session:
    """Tells listeners of: `model` (loading, loaded or failed), `turns` (all changed), `turn` (one
    changed), `words` (an answer grew), `outside` (ledger, connection), `facts` (of the browser),
    `engine_back`, `documents` (whether they are asked), `smaller` (the context became shorter),
    `fitted` (it is shorter than the model's, so that it fits into this device: tokens now, tokens
    in full). The keeper has listeners of its own."""

    def __init__(self):
        self.conversation = Conversation()
        self.keeper = Keeper()
        self.documents = Library(self.keeper)
        self.asks_documents = False  # whether questions are answered from them
        self.settings = loop.Settings()
        self.tools = known()
        self.context: int | None = None  # tokens; None: as many as the model likes
        self._threads = 1  # of the engine that answered last
        self._deaths = 0
        self.loading: Loading | None = None
        self.problem: Refused | None = None  # why the last load failed
        self.speed: float | None = None  # tokens per second of the last answer
        self.context_used = 0
        self.first_answered: int | None = None  # the turn that was answered first in this tab
        self.facts: dict = {}
        self.ledger: dict = {"off_origin_requests": 0, "left": 0, "bytes": 0, "entries": []}
        self.online = True
        self.offline_ready: bool | None = None  # None: not known yet
        self.deleted = False  # all that was kept; what ran on it has ended
        self.new_build = False  # a later build of the site waits to be used
        self.bridge: Bridge | None = None
        self.engine: Engine | None = None
        self._listeners = Listeners()
        self._before: Conversation | None = None  # what undoing a new chat brings back
        self._saves: set[asyncio.Task] = set()
        self._restored = False
        self._site_source: dict | None = None
        self._source: dict | None = None  # of the model that answers, or shall again
        self._load: asyncio.Task | None = None
        self._answer: asyncio.Task | None = None
        self._permission: asyncio.Future | None = None  # of the tool that somebody is asked about
        self._stopping = False
        self._resting = False  # the engine is being started anew without a model
        self._knows_model = asyncio.Event()  # whether one loads is known

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _tell(self, name: str, value: Any = None) -> None:
        self._listeners.tell(name, value)

    @property
    def loaded(self) -> Loaded | None:
        return self.engine.loaded if self.engine else None

    @property
    def busy(self) -> bool:
        return self._answer is not None

    async def start(self, bridge: Bridge) -> None:
        """Connects with page and engine, and joins the load that the page has begun."""
        self.bridge = bridge
        self.engine = Engine(bridge)
        bridge.on_event("engine_restarted", self._engine_restarted)
        bridge.on_event("dropped_file", self._open)
        for name in ("ledger", "online", "offline_ready", "new_build"):
            bridge.on_event(name, lambda value, name=name: self._outside(name, value))
        model = await bridge.call("site_model")
        self._site_source = self._source = {"kind": "site", "path": model["path"]}
        if model["loading"]:
            self.load()
        else:
            self._tell("model")
        self._knows_model.set()
        self.documents.start(bridge)
        self._beside(self._keep(bridge))
        self.facts = await bridge.call("facts")
        self.engine.memory = fit.engine_memory(self.tab_memory)
        self.online = self.facts["online"]
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
        self.deleted = True
        return await self.bridge.call("delete_everything")

    # The model

    def load(self, source: dict | None = None) -> None:
        """Begins to load a model, by default the one that was there last."""
        if source and source != self._source:
            self.context = None
        self.loading, self.problem = Loading(), None
        self._load = asyncio.ensure_future(self._run_load(source or self._source))

    async def open_file(self) -> None:
        """Lets the person pick a model file, and loads it."""
        picked = await self.bridge.call("pick_model_file")
        if picked:
            self._open(picked)

    def _open(self, picked: dict) -> None:
        self.load({"kind": "file", "key": picked["key"]})

    def forget_problem(self) -> None:
        """The person has read why the last load failed."""
        self.problem = None
        self._tell("model")

    def cancel_load(self) -> None:
        self.engine.cancel(Load)

    @property
    def is_site_model(self) -> bool:
        return self._source == self._site_source

    def load_site_model(self) -> None:
        self.load(self._site_source)

    def load_kept(self, sha256: str) -> None:
        """Loads the site's own model, or one that is kept on this device."""
        if sha256 == self.site_hash:
            self.load_site_model()
        else:
            self.load({"kind": "stored", "sha256": sha256})

    async def load_again(self, model: Answerer) -> None:
        """Loads the model that answered before; a file on the disk after the person gave it again.

        Must run within a few seconds of a click.
        """
        if HASH.fullmatch(model.key):
            self.load_kept(model.key)
            return
        answer = await self.bridge.call("open_disk_file", key=model.key)
        if failed := answer.get("failed"):
            self.problem = Refused(failed["code"], **failed["values"])
            self._tell("model")
        else:
            self._open(answer["value"])

    @property
    def site_hash(self) -> str:
        """The sha256 of the model that comes with the site: a folder of its address."""
        return self._site_source["path"].split("/")[-2] if self._site_source else ""

    @property
    def source_key(self) -> str:
        """The sha256 of the model that answers, or the key of the file on the disk."""
        source = self._source or {}
        return self.site_hash if self.is_site_model else source.get("sha256", source.get("key", ""))

    @property
    def tab_memory(self) -> int | None:
        """Bytes that this tab may take; None where the browser does not tell the device's."""
        gigabytes = self.facts.get("memory")
        return fit.tab_memory(gigabytes * (1 << 30)) if gigabytes else None

    async def unload(self) -> None:
        """Ends the model's workers and gives their memory back: browsers free what a worker held
        when it ends, and not for long when it only lets go of it."""
        self.stop()
        await self.engine.unload()
        self._resting = True
        await self.bridge.call("restart_engine", load=None)
        self._tell("model")

    async def work_rate(self) -> float | None:
        """How much work (engine/work.py) the loaded model does in a second here, measured."""
        if not self.loaded or "work" not in self.loaded.card:
            return None
        if not self.speed and not self.busy and not self.loading:
            await self._measure()
        return self.speed * self.loaded.card["work"] if self.speed else None

    async def _measure(self) -> None:
        """Lets the model count on for a moment."""
        how = Sampling(temperature=0.0)
        try:
            async for reply in self.engine.generate(COUNTING, how, max_tokens=MEASURED_TOKENS):
                if isinstance(reply, Done):
                    self.speed = reply.decode_tokens_per_second or None
        except Refused as refused:
            LOG.info("not measured: %s", refused)

    async def _run_load(self, source: dict) -> None:
        before, current = self._source, asyncio.current_task()
        self._tell("model")
        try:
            if self.engine.given_up:
                await self.bridge.call("restart_engine", threads=1)
            await self._load_within_memory(source)
            self._source = source
        except Refused as refused:
            if self._load is current:
                await self._load_failed(refused, source, before)
        finally:
            if self._load is current:
                self.loading = None
                self._tell("model")
                self._answer_waiting()

    async def _load_within_memory(self, source: dict) -> None:
        """Loads a model; where the browser gives too little memory, with a shorter context."""
        while True:
            try:
                loaded = await self.engine.load(source, self._progress, context=self.context)
                break
            except Refused as refused:
                if refused.code != "out_of_memory" or not self._shorten():
                    raise
        self._threads = loaded.threads
        full = loaded.card.get("full_context", 0)
        if self.context:
            self._tell("smaller", loaded.context)
        elif loaded.context < full:
            self._tell("fitted", (loaded.context, full))

    def _shorten(self) -> bool:
        """Chooses a shorter context for the next load. False when there is none."""
        shorter = [size for size in SHORTER_CONTEXTS if not self.context or size < self.context]
        self.context = shorter[0] if shorter else self.context
        return bool(shorter)

    async def _recover(self) -> None:
        """The model was lost while answering: back on one thread, or else a shorter context."""
        if self._threads > 1:
            await self.bridge.call("restart_engine", threads=1)
        elif self._shorten():
            self._tell("engine_back")
            self.load()

    async def _load_failed(self, problem: Refused, source: dict, before: dict) -> None:
        """A file that cannot be used must not cost the model that was there."""
        self.problem = problem
        had_another = self.engine.loaded is not None and source != before
        self.engine.loaded = None  # the engine let it go when the new load began
        if had_another:
            try:
                await self._load_within_memory(before)
            except Refused as refused:
                LOG.warning("the model before did not come back: %s", refused)

    def _progress(self, progress: Progress) -> None:
        if self.loading:
            self.loading.hear(progress)
            if self.loading.is_news():
                self._tell("model")

    def _answer_waiting(self) -> None:
        """A question that found no model, or a damaged one, is answered as soon as there is one."""
        last = self.conversation.last
        waits = last and last.problem and last.problem.code in ("no_model", "wrong_hash")
        if self.loaded and waits:
            self.regenerate()

    def _engine_restarted(self, alive: bool) -> None:
        self.context_used = 0
        if alive and self._resting:
            self._resting = False  # it was not lost, and nothing is to be loaded again
        elif alive:
            self._deaths += 1
            if self._deaths >= DEATHS_TO_SHORTER:
                self._shorten()
            self._tell("engine_back")
            self.load()
        else:
            self.loading = None
            self.problem = Refused("deleted" if self.deleted else "engine_died")
            self._tell("model")

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
            await self.engine.forget(conversation)
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
            self.ask_documents(conversation.last.sources is not None)
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

    async def _save(self, conversation: Conversation, turn: Turn) -> None:
        await self.keeper.save(conversation.to_row(), turn.to_row(conversation.id))

    # The conversation

    def ask_documents(self, wanted: bool) -> None:
        """Whether questions are answered from the documents from now on."""
        self.asks_documents = wanted
        self._tell("documents")

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
        self._before = self.conversation if undo else None
        self._restored = True  # whoever begins anew does not want to be led back
        self._show(Conversation(agent=agent))

    def use_agent(self, agent: Agent) -> None:
        """Begins a chat in which an agent answers, with the model that it was made with if that is
        on this device."""
        self.new_chat(agent=agent)
        wanted = agent.model.sha256 if agent.model else ""
        if wanted and not (self.loaded and self.loaded.card.get("sha256") == wanted):
            self.load_kept(wanted)

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
        if self._stopping or self._permission or self.conversation.last.phase == WAITING:
            self._answer.cancel()
        else:
            self._stopping = True
            self.engine.cancel()

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
        """The tools that may be used in a conversation. Once it holds text of others (a tool's
        result, an agent that came by a link), tools that write ask in any case."""
        agent = conversation.agent
        permissions = agent.permissions() if agent else {}
        tools = tuple(self.tools[name] for name, given in permissions.items() if given != "never")
        if not tools:
            return None
        foreign = not gallery.is_ours(agent) or any(turn.steps for turn in conversation.turns)
        asking = {
            tool.name
            for tool in tools
            if permissions[tool.name] == "ask" or (tool.writes and foreign)
        }
        notes = Notes(self.keeper.store) if self.keeper.history else None
        tables = {}
        for turn in conversation.turns:
            tables |= table.taken_out(turn.question)[1]
        here = Here(datetime.now(), notes, tables)
        return steps.Hands(tools, frozenset(asking), here, self._ask_permission)

    async def _use_tools(self, conversation: Conversation, turn: Turn, hands: steps.Hands) -> None:
        turn.phase = CHOOSING
        self._tell("turn", turn)
        question, _ = table.taken_out(turn.question)
        async for _ in steps.taken(self.engine, question, hands, turn.steps):
            self._tell("turn", turn)
            await self._save(conversation, turn)

    def _begin(self, turn: Turn, differently: bool = False) -> None:
        self._stopping, self._before = False, None
        self._remember_place()
        self._answer = asyncio.ensure_future(self._run_answer(turn, differently))
        self._tell("turns")

    async def _run_answer(self, turn: Turn, differently: bool) -> None:
        lost = False
        conversation = self.conversation
        try:
            await self._save(conversation, turn)
            self.keeper.changed()
            if await self._ground(turn):
                await self._model()
                await self._write(turn, differently)
        except Refused as refused:
            turn.problem = None if refused.code == "cancelled" else refused
            lost = refused.code in LOST
            if refused.code == "wrong_hash" and self.is_site_model:
                self.load()  # the host has the right bytes
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
            await self._recover()

    async def _ground(self, turn: Turn) -> bool:
        """Finds what the documents say, if they are asked; whether there is something to answer."""
        if not turn.answer:
            turn.sources = None
        if turn.answer or not self.asks_documents:
            return True
        hits = await self.documents.search(turn.question)
        found = [hit.passage for hit in hits[: grounding.MOST]]
        turn.sources = [
            grounding.Source(p.document, p.name, p.place, p.page, p.headings, p.text) for p in found
        ]
        return bool(turn.sources)

    async def _model(self) -> None:
        """Waits for a model that is loading. Raises Refused no_model if there is none then."""
        await self._knows_model.wait()
        if self.deleted:
            raise Refused("deleted")
        while self.loading:
            await asyncio.wait([self._load])
        if not self.loaded:
            raise Refused("no_model")

    async def _write(self, turn: Turn, differently: bool) -> None:
        turn.model = Answerer.read({"name": self.loaded.card.get("name"), "key": self.source_key})
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
        next_save = time.monotonic() + SAVE_GAP
        async for word in loop.answer(self.engine, messages, settings, **how):
            if isinstance(word, Tokens):
                turn.phase = WRITING
                turn.answer += word.text
                self._tell("words", (turn, word.text))
                if time.monotonic() > next_save:
                    next_save = time.monotonic() + SAVE_GAP
                    self._beside(self._save(conversation, turn))
            else:
                turn.figures = word
        self.speed = turn.figures.decode_tokens_per_second or None
        self.context_used = turn.figures.context_used
        if turn.answer and self.first_answered is None:
            self.first_answered = turn.id
