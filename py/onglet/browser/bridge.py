"""Python's side of the two channels: page services and events (docs/protocols.md section 6), and
the port to the engine worker. Knows no message's meaning.

Nothing of JavaScript is touched before `connect()`, so that the module may be imported before the
start-up snapshot is taken. Outside the browser `StandIn` has the same interface.
"""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

Listener = Callable[[Any], None]


class ServiceFailed(Exception):
    """The page could not do what it was asked; the text says why, for programs."""


class Bridge(Protocol):
    """What the floors above use."""

    async def call(self, name: str, /, **arguments: Any) -> Any:
        """Asks the page for a service by name and returns its plain answer."""

    def on_event(self, name: str, listener: Listener) -> None:
        """Calls `listener` with the value of each event of that name, after `listen`.

        `engine_restarted` has the value True, or False when the engine is given up.
        """

    def listen(self) -> None:
        """Everybody is there: hands over the events that have waited, and all that follow."""

    def send_to_engine(self, message: dict) -> None:
        """Posts one engine message (plain data)."""

    def on_engine_message(self, listener: Listener) -> None:
        """Calls `listener` with each message of the engine, as plain Python data."""


class Listeners:
    """Who wants to hear what."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Listener]] = defaultdict(list)

    def add(self, name: str, listener: Listener) -> None:
        self._by_name[name].append(listener)

    def tell(self, name: str, value: Any) -> None:
        for listener in list(self._by_name[name]):
            listener(value)


class PageBridge:
    """The bridge in the app worker."""

    def __init__(self) -> None:
        import js
        from pyodide.ffi import create_proxy

        self._js = js
        self._listeners = Listeners()
        self._engine_listeners = Listeners()
        self._waiting: list[Any] | None = []  # events, until `listen`
        self._answers: dict[int, asyncio.Future] = {}
        self._ids = itertools.count(1)
        self._engine_proxy = create_proxy(self._hear_engine)
        self._use_port(js.self.enginePort)
        js.self.addEventListener("message", create_proxy(self._hear_page))

    def _use_port(self, port: Any) -> None:
        self._port = port
        port.onmessage = self._engine_proxy

    def _to_js(self, message: dict) -> Any:
        return self._js.JSON.parse(json.dumps(message))

    async def call(self, name: str, /, **arguments: Any) -> Any:
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"kind": "call", "id": number, "name": name, "arguments": arguments}
        self._js.self.postMessage(self._to_js(message))
        return await self._answers[number]

    def on_event(self, name: str, listener: Listener) -> None:
        self._listeners.add(name, listener)

    def listen(self) -> None:
        waiting, self._waiting = self._waiting, None
        for event in waiting:
            self._hear_event(event)

    def send_to_engine(self, message: dict) -> None:
        self._port.postMessage(self._to_js(message))

    def on_engine_message(self, listener: Listener) -> None:
        self._engine_listeners.add("message", listener)

    def _hear_engine(self, event: Any) -> None:
        self._engine_listeners.tell("message", plain(event.data))

    def _hear_page(self, event: Any) -> None:
        kind = getattr(event.data, "kind", None)
        if kind == "answer":
            self._answered(plain(event.data))
        elif kind == "event" and self._waiting is None:
            self._hear_event(event.data)
        elif kind == "event":
            self._waiting.append(event.data)

    def _hear_event(self, event: Any) -> None:
        if event.name == "engine_restarted":
            self._engine_restarted(event.value)
        else:
            self._listeners.tell(event.name, plain(event.value))

    def _engine_restarted(self, port: Any) -> None:
        if port:
            self._use_port(port)
        self._listeners.tell("engine_restarted", bool(port))

    def _answered(self, answer: dict) -> None:
        future = self._answers.pop(answer["id"], None)
        if future is None or future.done():
            return
        if "error" in answer:
            future.set_exception(ServiceFailed(answer["error"]))
        else:
            future.set_result(answer["value"])


def plain(value: Any) -> Any:
    """Returns JavaScript data as Python data; an ArrayBuffer becomes bytes."""
    if hasattr(value, "to_py"):
        value = value.to_py()
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) else None


def connect() -> Bridge:
    """Makes the bridge of this tab. To be called once, after a snapshot restore."""
    return PageBridge()


class StandIn:
    """The bridge where there is no page: for tests of the floors above.

    `services` answers calls by name; `sent` keeps what was posted to the engine; `event` and
    `engine_says` play the other side.
    """

    def __init__(self, **services: Callable[..., Any]) -> None:
        self.services = services
        self.sent: list[dict] = []
        self._listeners = Listeners()
        self._engine_listeners = Listeners()

    async def call(self, name: str, /, **arguments: Any) -> Any:
        if name not in self.services:
            raise ServiceFailed(f"no service is named {name}")
        return self.services[name](**arguments)

    def on_event(self, name: str, listener: Listener) -> None:
        self._listeners.add(name, listener)

    def listen(self) -> None:
        """Nothing waits here."""

    def send_to_engine(self, message: dict) -> None:
        self.sent.append(json.loads(json.dumps(message)))

    def on_engine_message(self, listener: Listener) -> None:
        self._engine_listeners.add("message", listener)

    def event(self, name: str, value: Any = None) -> None:
        self._listeners.tell(name, value)

    def engine_says(self, message: dict) -> None:
        self._engine_listeners.tell("message", message)
