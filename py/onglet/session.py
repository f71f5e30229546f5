"""What goes on in this tab: the model, its loading, the conversation and its answers.

Decides what happens and in which order; pages only draw it and pass on what was pressed. Knows
nothing of screens; the bridge may be a stand-in.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from onglet.agents import loop
from onglet.agents.conversation import DONE, READING, WAITING, WRITING, Conversation, Turn
from onglet.browser.bridge import Bridge, Listeners
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Load, Loaded, Progress, Tokens

LOG = logging.getLogger(__name__)
NEWS = 0.1  # seconds between two reports of a load
SHORTER_CONTEXTS = (2048, 1024, 512)  # tokens: what is tried when there is too little memory
LOST = ("kernel_trap", "out_of_memory")  # the model is gone, the engine's worker is not
DEATHS_TO_SHORTER = 3  # the page takes one thread after the second (web/page/engine.js)
SETTLED = 0.3  # seconds before a download speed means something


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
    changed), `words` (an answer grew), `outside` (ledger, connection), `facts`
    (of the browser), `engine_back`, `smaller` (the context became shorter)."""

    def __init__(self):
        self.conversation = Conversation()
        self.settings = loop.Settings()
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
        self.new_build = False  # a later build of the site waits to be used
        self.bridge: Bridge | None = None
        self.engine: Engine | None = None
        self._listeners = Listeners()
        self._site_source: dict | None = None
        self._source: dict | None = None  # of the model that answers, or shall again
        self._load: asyncio.Task | None = None
        self._answer: asyncio.Task | None = None
        self._stopping = False
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
        self.facts = await bridge.call("facts")
        self.online = self.facts["online"]
        self._tell("facts", self.facts)
        self._outside("ledger", await bridge.call("ledger"))

    def _outside(self, name: str, value: Any) -> None:
        setattr(self, name, value)
        self._tell("outside", name)

    async def use_new_build(self) -> bool:
        """Reloads with the build that waits. False when another tab still uses the old one."""
        return await self.bridge.call("use_new_build")

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
        if self.context:
            self._tell("smaller", loaded.context)

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
        """A question that found no model is answered as soon as there is one."""
        last = self.conversation.last
        if self.loaded and last and last.problem and last.problem.code == "no_model":
            self.regenerate()

    def _engine_restarted(self, alive: bool) -> None:
        self.context_used = 0
        if alive:
            self._deaths += 1
            if self._deaths >= DEATHS_TO_SHORTER:
                self._shorten()
            self._tell("engine_back")
            self.load()
        else:
            self.loading, self.problem = None, Refused("engine_died")
            self._tell("model")

    # The conversation

    def ask(self, question: str) -> None:
        self._begin(self.conversation.ask(question))

    def ask_instead(self, question: str) -> None:
        """Changes the last question and has it answered anew."""
        self._begin(self.conversation.ask_instead(question))

    def regenerate(self) -> None:
        """Another answer to the last question; a different one if there was one."""
        had_answer = bool(self.conversation.last.answer)
        self._begin(self.conversation.ask_again(), differently=had_answer)

    def new_chat(self) -> None:
        self.stop()
        self.conversation.clear()
        self.context_used = 0
        self._tell("turns")

    def undo_new_chat(self) -> None:
        self.conversation.undo()
        self._tell("turns")

    def stop(self) -> None:
        """Stops the answer under way; a second time, without waiting for the engine."""
        if not self._answer:
            return
        if self._stopping or self.conversation.last.phase == WAITING:
            self._answer.cancel()
        else:
            self._stopping = True
            self.engine.cancel()

    def _begin(self, turn: Turn, differently: bool = False) -> None:
        self._stopping = False
        self._answer = asyncio.ensure_future(self._run_answer(turn, differently))
        self._tell("turns")

    async def _run_answer(self, turn: Turn, differently: bool) -> None:
        lost = False
        try:
            await self._model()
            await self._write(turn, differently)
        except Refused as refused:
            turn.problem = None if refused.code == "cancelled" else refused
            lost = refused.code in LOST
        except asyncio.CancelledError:
            LOG.info("answer %d given up", turn.id)
        except Exception as error:
            LOG.exception("answer %d", turn.id)
            turn.problem = Refused(type(error).__name__)  # told by the general sentence
        finally:
            turn.phase = DONE
            self._answer = None
            self._tell("turn", turn)
        if lost:
            await self._recover()

    async def _model(self) -> None:
        """Waits for a model that is loading. Raises Refused no_model if there is none then."""
        await self._knows_model.wait()
        while self.loading:
            await asyncio.wait([self._load])
        if not self.loaded:
            raise Refused("no_model")

    async def _write(self, turn: Turn, differently: bool) -> None:
        turn.phase = READING
        self._tell("turn", turn)
        messages = self.conversation.messages(self.settings.instructions)
        words = loop.answer(self.engine, messages, self.settings, differently=differently)
        async for word in words:
            if isinstance(word, Tokens):
                turn.phase = WRITING
                turn.answer += word.text
                self._tell("words", (turn, word.text))
            else:
                turn.figures = word
        self.speed = turn.figures.decode_tokens_per_second or None
        self.context_used = turn.figures.context_used
        if turn.answer and self.first_answered is None:
            self.first_answered = turn.id
