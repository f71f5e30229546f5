"""The model of this tab: what loads, what answers, and how it comes back when it was lost.

Knows no conversation, no document and no screen.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from onglet.browser.bridge import Bridge, Listeners
from onglet.engine.client import Engine
from onglet.engine.errors import Refused
from onglet.engine.messages import Done, Load, Loaded, Progress, Sampling
from onglet.library import fit

LOG = logging.getLogger(__name__)
NEWS = 0.1  # seconds between two reports of a load
SHORTER_CONTEXTS = (2048, 1024, 512)  # tokens: what is tried when there is too little memory
DEATHS_TO_SHORTER = 3  # the page takes one thread after the second (web/page/engine.js)
SETTLED = 0.3  # seconds before a download speed means something
COUNTING, MEASURED_TOKENS = "1 2 3 4 5 6 7 8 9 10 11 12", 64  # what a speed is measured on
HASH = re.compile(r"[0-9a-f]{64}")


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


class Model:
    """Tells listeners of: `changed` (loading, loaded or failed), `settled` (a load ended), `back`
    (it loads again after it was lost), `smaller` (the context became shorter), `fitted` (it is
    shorter than the model's, so that it fits into this device: tokens now, tokens in full)."""

    def __init__(self):
        self.bridge: Bridge | None = None
        self.engine: Engine | None = None
        self.context: int | None = None  # tokens; None: as many as the model likes
        self.loading: Loading | None = None
        self.problem: Refused | None = None  # why the last load failed
        self.speed: float | None = None  # tokens per second of the last answer
        self.lost_as = "engine_died"  # what is said when the engine ends for good
        self.gigabytes: float | None = None  # the device's memory, as far as the browser tells
        self._threads = 1  # of the engine that answered last
        self._deaths = 0
        self._site_source: dict | None = None
        self._source: dict | None = None  # of the model that answers, or shall again
        self._load: asyncio.Task | None = None
        self._resting = False  # the engine is being started anew without a model
        self._known = asyncio.Event()  # whether one loads is known
        self._listeners = Listeners()

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _tell(self, name: str, value: Any = None) -> None:
        self._listeners.tell(name, value)

    @property
    def loaded(self) -> Loaded | None:
        return self.engine.loaded if self.engine else None

    async def start(self, bridge: Bridge) -> None:
        """Connects with the engine, and joins the load that the page has begun."""
        self.bridge, self.engine = bridge, Engine(bridge)
        bridge.on_event("engine_restarted", self._engine_restarted)
        bridge.on_event("dropped_file", self._open)
        model = await bridge.call("site_model")
        self._site_source = self._source = {"kind": "site", "path": model["path"]}
        if model["loading"]:
            self.load()
        else:
            self._tell("changed")
        self._known.set()

    def fit_into(self, gigabytes: float | None) -> None:
        """Keeps models within the memory of this device."""
        self.gigabytes = gigabytes
        self.engine.memory = fit.engine_memory(self.tab_memory)

    async def ready(self) -> Loaded | None:
        """Waits for a model that is loading; None if there is none then."""
        await self._known.wait()
        while self.loading:
            await asyncio.wait([self._load])
        return self.loaded

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
        self._tell("changed")

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

    async def load_again(self, key: str) -> None:
        """Loads the model of a `source_key`; a file on the disk after the person gave it again.

        Must run within a few seconds of a click.
        """
        if HASH.fullmatch(key):
            self.load_kept(key)
            return
        answer = await self.bridge.call("open_disk_file", key=key)
        if failed := answer.get("failed"):
            self.problem = Refused(failed["code"], **failed["values"])
            self._tell("changed")
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
        return fit.tab_memory(self.gigabytes * (1 << 30)) if self.gigabytes else None

    async def unload(self) -> None:
        """Ends the model's workers and gives their memory back."""
        await self._rest()
        self._tell("changed")

    async def _rest(self) -> None:
        """Starts the engine anew without a model: browsers free what a worker held when it ends,
        and not for long when it only lets go of it."""
        await self.engine.unload()
        self._resting = True
        await self.bridge.call("restart_engine", load=None)

    async def work_rate(self, may_measure: bool) -> float | None:
        """How much work (engine/work.py) the loaded model does in a second here: by its last
        answer, else measured now, if it may be."""
        if not self.loaded or "work" not in self.loaded.card:
            return None
        if not self.speed and may_measure and not self.loading:
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
        had_another = self.loaded is not None and source != before
        self._tell("changed")
        try:
            if self.engine.given_up:
                await self.bridge.call("restart_engine", threads=1)
            elif had_another:  # a phone has no room for two
                await self._rest()
            await self._load_within_memory(source)
            self._source = source
        except Refused as refused:
            if self._load is current:
                await self._load_failed(refused, before if had_another else None)
        finally:
            if self._load is current:
                self.loading = None
                self._tell("changed")
                self._tell("settled")

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

    async def recover(self) -> None:
        """The model was lost while answering: back on one thread, or else a shorter context."""
        if self._threads > 1:
            await self.bridge.call("restart_engine", threads=1)
        elif self._shorten():
            self._tell("back")
            self.load()

    async def _load_failed(self, problem: Refused, before: dict | None) -> None:
        """A file that cannot be used must not cost the model that was there."""
        self.problem = problem
        self.engine.loaded = None  # the engine let it go when the new load began
        if before:
            try:
                await self._load_within_memory(before)
            except Refused as refused:
                LOG.warning("the model before did not come back: %s", refused)

    def _progress(self, progress: Progress) -> None:
        if self.loading:
            self.loading.hear(progress)
            if self.loading.is_news():
                self._tell("changed")

    def _engine_restarted(self, alive: bool) -> None:
        if alive and self._resting:
            self._resting = False  # it was not lost, and nothing is to be loaded again
        elif alive:
            self._deaths += 1
            if self._deaths >= DEATHS_TO_SHORTER:
                self._shorten()
            self._tell("back")
            self.load()
        else:
            self.loading = None
            self.problem = Refused(self.lost_as)
            self._tell("changed")
