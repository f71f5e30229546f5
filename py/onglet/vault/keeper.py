"""The vault of this tab: whether conversations can be kept, the way to them, and all that is done
with the whole of them: lock, passphrase, recovery, files to take away, deletion.

Tells listeners of `state` (what the store says of itself), `history` (the list changed), `wiped`
(everything was deleted) and `problem` (something could not be saved). Knows no screen.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from onglet.browser.bridge import Bridge, Listeners, ServiceFailed
from onglet.engine.errors import Refused
from onglet.vault import archive, rescue
from onglet.vault.artifacts import Artifacts
from onglet.vault.cases import Cases
from onglet.vault.history import History
from onglet.vault.notes import Notes
from onglet.vault.schedules import Schedules
from onglet.vault.schema import migrate
from onglet.vault.shelf import Shelf
from onglet.vault.store import Store, TabStore, answered, bound

LOG = logging.getLogger(__name__)
NOTHING = {"phase": "none", "durable": False, "encrypted": False, "protected": False}
FILE_NAME = "onglet-{day}.onglet"


class Keeper:
    def __init__(self):
        self.state: dict = {**NOTHING, "phase": "starting"}
        self.history: History | None = None  # None while the store is not open
        self.problem: Refused | None = None  # why the last change was not kept
        self.bridge: Bridge | None = None
        self.store: Store | None = None
        self._listeners = Listeners()
        self._known = asyncio.Event()
        self._opening = asyncio.Lock()

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _tell(self, name: str) -> None:
        self._listeners.tell(name, None)

    @property
    def open_store(self) -> Store | None:
        """The store, while anything can be kept."""
        return self.store if self.history else None

    @property
    def locked(self) -> bool:
        return self.state["phase"] == "locked"

    async def start(self, bridge: Bridge) -> None:
        """Opens the store as soon as the page has one."""
        self.bridge, self.store = bridge, TabStore(bridge)
        bridge.on_event("store_state", self._hear)
        bridge.on_event("rest", lambda _: self._rested())
        bridge.on_event("store_changed", lambda _: self._tell("history"))
        try:
            await self._turn(await self.store.ask("state"))
        except (ServiceFailed, Refused) as error:
            LOG.info("no store: %s", error)
            await self._turn(NOTHING)

    def _hear(self, state: dict) -> None:
        self._task = asyncio.ensure_future(self._turn(state))

    async def _turn(self, state: dict) -> None:
        async with self._opening:
            opens = state["phase"] == "ready" and self.history is None
            self.state = state
            if state["phase"] != "ready":
                self.history = None
            if opens:
                await self._open()
        self._known.set()
        self._tell("state")
        self._tell("history")

    async def _open(self) -> None:
        """Makes the tables fit, and clears what was thrown away a while ago."""
        try:
            await migrate(self.store)
            for kind in (History, Shelf, Notes, Cases, Artifacts, Schedules):
                await kind(self.store).clear()
            self.history = History(self.store)
        except Refused as refused:
            phase = "newer" if refused.code == "newer_store" else "damaged"
            self.state = {**self.state, "phase": phase}

    async def ready(self) -> History | None:
        """Waits until it is known whether anything can be kept."""
        await self._known.wait()
        return self.history

    async def save(self, conversation: dict, turn: dict) -> None:
        """Keeps a turn; what goes wrong is told, not raised: the answer goes on."""
        history = await self.ready()
        if history is None:
            return
        try:
            await history.save(conversation, turn)
            problem = None
        except Refused as refused:
            LOG.warning("not saved: %s", refused)
            problem = refused
        if problem or self.problem:
            self.problem = problem
            self._tell("problem")

    def changed(self) -> None:
        """Somebody here changed the list."""
        self._tell("history")

    @property
    def keeps_openly(self) -> bool:
        """Whether conversations are kept, and under no passphrase."""
        return self.history is not None and not self.state["protected"]

    # Lock and key

    async def lock(self) -> None:
        await self._turn(await self.store.ask("lock"))

    def _rested(self) -> None:
        """Nobody touched the page for a while."""
        if self.state["protected"] and self.state["phase"] == "ready":
            self._task = asyncio.ensure_future(self.lock())

    async def unlock(self, passphrase: str) -> None:
        """Raises Refused wrong_passphrase."""
        await self._turn(await self.store.ask("unlock", passphrase=passphrase))

    async def protect(self, passphrase: str | None, current: str | None = None) -> None:
        """Sets, changes or (None) takes away the passphrase. Raises Refused."""
        await self._turn(await self.store.ask("protect", passphrase=passphrase, current=current))

    async def recovery_code(self) -> str:
        return await self.store.ask("recovery_code")

    async def recover(self, code: str) -> None:
        """Raises Refused wrong_recovery_code."""
        await self._turn(await self.store.ask("recover", code=code))

    # The whole of it

    async def usage(self) -> dict:
        """What is stored where: `files` (name, bytes, encrypted) of the database, and the state."""
        return {**self.state, "files": await self.store.ask("usage")}

    async def wipe(self) -> None:
        """Deletes every conversation, every key and every file of the store, at once."""
        self.history = None
        await self.store.ask("wipe")
        self._tell("wiped")
        await self._turn(await self.store.ask("state"))

    async def look_for_the_rest(self) -> rescue.Rescued:
        """Reads what can still be read of a damaged store; changes nothing. Raises Refused."""
        tables = {table: list(names) for table, names in rescue.TABLES.items()}
        return rescue.mended(await self.store.ask("rescue", tables=tables))

    async def go_on_with(self, rescued: rescue.Rescued, passphrase: str | None = None) -> None:
        """Puts a new store with these rows in place of the damaged one. Raises Refused
        wrong_passphrase, storage_full; then nothing is changed."""
        statements = [bound(each) for each in rescued.statements()]
        new = {"statements": statements, "passphrase": passphrase}
        await self._turn(await self.store.ask("rebuild", **new))

    async def contents(self) -> dict[str, int]:
        """How many of each kind are kept: archive.KINDS."""
        return await archive.contents(self.store)

    async def persist(self) -> bool:
        """Asks the browser to keep what is stored even when disk space is short."""
        return await self.bridge.call("persist")

    async def export(self, passphrase: str, name: str) -> int:
        """Downloads everything as one encrypted file; returns its bytes."""
        text = await archive.dump(self.store)
        answer = await self.bridge.call("seal_file", name=name, text=text, passphrase=passphrase)
        return answered(answer)

    async def import_picked(self, passphrase: str) -> int:
        """Adds what the picked file holds; returns how many conversations. Raises Refused."""
        text = answered(await self.bridge.call("unseal_file", passphrase=passphrase))
        count = await archive.merge(self.store, text)
        self.changed()
        return count
