"""A session with a stand-in for page and engine, in the test's hands."""

import asyncio
import functools

from onglet.browser.bridge import StandIn
from onglet.session import Session

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
SITE = {"kind": "site", "path": "models/x/prepared.json"}
FACTS = {"isolated": True, "online": True, "service_worker": True, "dark": False}
LEDGER = {"off_origin_requests": 0, "bytes": 0, "entries": []}
LOADED = {
    "kind": "loaded",
    "card": {"name": "Tiny", "file_bytes": 1},
    "chat_template": TEMPLATE,
    "special_tokens": {"bos": "", "eos": ""},
    "threads": 2,
    "backend": "wasm-plain",
    "isolated": True,
    "context": 100,
    "seconds": 0.1,
    "memory_bytes": 10,
}
DONE_MESSAGE = {
    "kind": "done",
    "reason": "stop",
    "prompt_tokens": 3,
    "reused_tokens": 0,
    "answer_tokens": 2,
    "prefill_seconds": 0.1,
    "decode_seconds": 0.1,
    "prefill_tokens_per_second": 30.0,
    "decode_tokens_per_second": 20.0,
    "context_used": 5,
    "context": 100,
}


class Tab:
    """A session with the other side in the test's hands."""

    def __init__(self, loading=True):
        self.restarts = []
        self.place = ""
        services = {
            "site_model": lambda: {"path": SITE["path"], "loading": loading},
            "facts": lambda: FACTS,
            "ledger": lambda: LEDGER,
            "restart_engine": self.restart,
            "pick_model_file": lambda: {"key": "k", "name": "a.gguf", "bytes": 1},
            "recall_place": lambda: self.place,
            "keep_place": lambda value: None,
        }
        self.bridge = StandIn(**services)
        self.session = Session()
        self.told = []
        for source, names in (
            (self.session, ("turns", "turn")),
            (self.session.model, ("changed", "back", "smaller", "fitted")),
        ):
            for name in names:
                source.on(name, lambda _, name=name: self.told.append(name))

    def restart(self, **change):
        """The page tells of a restart before it answers; after a lost model the tests tell."""
        self.restarts.append(change)
        if change == {"load": None}:
            self.bridge.event("engine_restarted", True)

    async def start(self):
        await self.session.start(self.bridge)
        await settle()
        return self

    def asked(self, kind):
        return [message for message in self.bridge.sent if message["kind"] == kind]

    async def says(self, kind, request, **fields):
        """The engine answers the newest request of that kind."""
        self.bridge.engine_says({"kind": kind, "id": self.asked(request)[-1]["id"], **fields})
        await settle()

    async def rests(self):
        """The engine lets its model go and starts anew."""
        await self.says("unloaded", "unload")

    async def load(self):
        await self.says(**LOADED, request="load")

    async def answer(self, *words, **end):
        for word in words:
            await self.says("tokens", "generate", text=word, count=1)
        await self.says(request="generate", **{**DONE_MESSAGE, **end})

    @property
    def last(self):
        return self.session.conversation.last


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


def plays(test):
    """Runs an async test to its end."""

    @functools.wraps(test)
    def run(**given):
        asyncio.run(asyncio.wait_for(test(**given), 10))

    return run
