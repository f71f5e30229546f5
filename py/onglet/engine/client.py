"""Asks the engine worker: load, generate, forget, tokenize, cancel, unload, devices.

Speaks the messages of messages.py over the bridge (or its stand-in) and answers the engine's one
question, what a model file holds, through prepare.py. Knows nothing of chat, agents or pages.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from onglet.engine import messages
from onglet.engine.errors import Incomplete, Refused
from onglet.engine.messages import (
    Cancel,
    Devices,
    DevicesAre,
    Done,
    Failed,
    Forget,
    Forgotten,
    Generate,
    HeaderBytes,
    Load,
    Loaded,
    Message,
    Prepared,
    Progress,
    ReadHeader,
    Sampling,
    Tokenize,
    Tokenized,
    Tokens,
    Unload,
    Unloaded,
)
from onglet.engine.prepare import prepare
from onglet.engine.program import MEMORY_LIMIT

FIRST_ID = 1000  # smaller ids are the page's own requests
# load again after these
MODEL_LOST = ("kernel_trap", "out_of_memory", "engine_died", "no_model", "wrong_hash")

OnProgress = Callable[[Progress], None]


class Port(Protocol):
    """What of the bridge is used here (onglet/browser/bridge.py)."""

    def send_to_engine(self, message: dict) -> None: ...

    def on_engine_message(self, listener: Callable[[dict], None]) -> None: ...

    def on_event(self, name: str, listener: Callable[[Any], None]) -> None: ...


class Engine:
    """The engine of this tab. Every method raises Refused when the engine says `failed`."""

    def __init__(self, port: Port):
        self.loaded: Loaded | None = None  # the model that answers now
        self.given_up = False  # the engine died again and again
        self.emptied = False  # the model was unloaded, and none is wanted since
        self.memory = MEMORY_LIMIT  # bytes that a model may take
        self._port = port
        self._ids = itertools.count(FIRST_ID)
        self._open: dict[int, _Request] = {}
        port.on_engine_message(self._hear)
        port.on_event("engine_restarted", self._restarted)

    async def load(
        self,
        source: dict,
        on_progress: OnProgress | None = None,
        *,
        context: int | None = None,
    ) -> Loaded:
        """Loads a model, or waits for one that is loading already. `source`: messages.SOURCES.

        Cancelling the task that awaits this cancels the load.
        """
        self.emptied = False
        async with _Request(self, Load(self._new_id(), source, context)) as request:
            return await request.last(Loaded, on_progress)

    async def generate(
        self,
        prompt: str,
        sampling: Sampling | None = None,
        *,
        stop: tuple[str, ...] = (),
        max_tokens: int = 1024,
        conversation: str | None = None,
        grammar: dict | None = None,
        alternatives: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> AsyncIterator[Tokens | Done]:
        """Yields Tokens as they come, then one Done. Leaving the loop early cancels the request.
        `grammar`, `alternatives`: as in messages.Generate.

        `aclose()` it (contextlib.aclosing) when leaving early, or call `cancel`.
        """
        how = (list(stop), sampling or Sampling(), max_tokens, conversation, grammar, alternatives)
        message = Generate(self._new_id(), prompt, *how)
        async with _Request(self, message) as request:
            while True:
                reply = await request.next((Tokens, Done), on_progress)
                if isinstance(reply, Done):
                    request.finished = True
                yield reply
                if request.finished:
                    return

    def cancel(self, kind: type[Message] = Generate) -> None:
        """Stops every answer under way (or every Load); each ends by its own last reply."""
        for number, request in self._open.items():
            if isinstance(request.message, kind):
                self._send(Cancel(self._new_id(), number))

    async def tokenize(self, text: str) -> list[int]:
        async with _Request(self, Tokenize(self._new_id(), text)) as request:
            return (await request.last(Tokenized)).tokens

    async def forget(self, conversation: str | None = None) -> None:
        """Deletes what the engine kept of a conversation on this device, or of all of them."""
        async with _Request(self, Forget(self._new_id(), conversation)) as request:
            await request.last(Forgotten)

    async def unload(self) -> None:
        async with _Request(self, Unload(self._new_id())) as request:
            await request.last(Unloaded)
            self.loaded, self.emptied = None, True

    async def devices(self) -> DevicesAre:
        async with _Request(self, Devices(self._new_id())) as request:
            return await request.last(DevicesAre)

    def _new_id(self) -> int:
        return next(self._ids)

    def _send(self, message: Message) -> None:
        self._port.send_to_engine(messages.to_dict(message))

    def _hear(self, data: dict) -> None:
        """Takes one message of the engine. One for nobody here may be for the page."""
        message = messages.from_dict(data)
        if isinstance(message, HeaderBytes):
            self._send(self._answer_header(message))
        if isinstance(message, Loaded):
            self.loaded = message
        if isinstance(message, Failed) and message.code in MODEL_LOST:
            self.loaded = None
        if message.id in self._open:
            self._open[message.id].replies.put_nowait(message)

    def _restarted(self, alive: bool) -> None:
        """The engine worker died, or ended after its model. What was asked of it will never be
        answered."""
        self.loaded = None
        self.given_up = not alive
        for number, request in self._open.items():
            code = "cancelled" if self.emptied else "engine_died"
            request.replies.put_nowait(Failed(number, code, {}))

    def _answer_header(self, header: HeaderBytes) -> Prepared | ReadHeader:
        """The prepared model, a refusal, or a wish for more bytes. The load may be the page's."""
        request = self._open.get(header.id)
        context = request.message.context if request else None
        try:
            how = {"context": context, "name": header.name, "memory": self.memory}
            prepared = prepare(header.bytes, header.file_bytes, **how)
        except Incomplete as incomplete:
            return ReadHeader(header.id, incomplete.bytes_needed)
        except Refused as refused:
            return Prepared(header.id, refused={"code": refused.code, "values": refused.values})
        return Prepared(header.id, prepared=prepared.to_dict())


class _Request:
    """One request from its sending to its last reply."""

    def __init__(self, engine: Engine, message: Message):
        self.engine = engine
        self.message = message
        self.finished = False
        self.replies: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> "_Request":
        if self.engine.given_up:
            raise Refused("engine_died")
        self.engine._open[self.message.id] = self
        self.engine._send(self.message)
        return self

    async def __aexit__(self, *_: object) -> None:
        """A request that is left before its last reply is cancelled."""
        del self.engine._open[self.message.id]
        if not self.finished:
            self.engine._send(Cancel(self.engine._new_id(), self.message.id))

    async def next(self, kinds: tuple, on_progress: OnProgress | None = None) -> Message:
        """The next reply of these kinds. Raises Refused if the engine failed."""
        while True:
            reply = await self.replies.get()
            if isinstance(reply, Failed):
                self.finished = True
                raise Refused(reply.code, **reply.values)
            if isinstance(reply, kinds):
                return reply
            if isinstance(reply, Progress) and on_progress:
                on_progress(reply)

    async def last(self, kind: type, on_progress: OnProgress | None = None):
        reply = await self.next((kind,), on_progress)
        self.finished = True
        return reply
