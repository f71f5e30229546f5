"""The library of this tab: models that are kept, files on the disk, downloads, other hosts. Decides
in which order things are asked; the page's library worker (web/files/worker.js) does them. Knows
nothing of screens."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from onglet.browser.bridge import Bridge
from onglet.engine.errors import Incomplete, Refused
from onglet.engine.gguf import read_header
from onglet.library import fit, hub
from onglet.library.anatomy import Anatomy, anatomy

HEADER_GUESS = 2 << 20
MOST_HEADER = 64 << 20
KEY_LENGTH = 32
SETTLED = 1.0  # seconds before a speed means something


@dataclass
class Download:
    """One that runs, rests or failed. Sizes in bytes."""

    wanted: dict
    received: int = 0
    running: bool = False
    problem: Refused | None = None
    began: float = 0.0
    before: int | None = None  # what was there when it began; None: not told yet

    def hear(self, received: int) -> None:
        if self.before is None:
            self.before, self.began = received, time.monotonic()
        self.received = received

    @property
    def share(self) -> float:
        return self.received / self.wanted["bytes"]

    @property
    def speed(self) -> float | None:
        """Bytes per second since it began."""
        if not self.running or self.before is None:
            return None
        fresh, elapsed = self.received - self.before, time.monotonic() - self.began
        return fresh / elapsed if fresh > 0 and elapsed > SETTLED else None

    @property
    def left(self) -> float | None:
        """Seconds, if it goes on like this."""
        return (self.wanted["bytes"] - self.received) / self.speed if self.speed else None


@dataclass
class Find:
    """What an address led to: files to choose from, or one with its receipt or its problem."""

    address: hub.Address
    files: list[hub.File] = field(default_factory=list)
    wanted: dict | None = None
    receipt: fit.Receipt | None = None

    def smaller(self) -> hub.File | None:
        """The largest file of the repository that is clearly smaller than the one weighed."""
        limit = (self.wanted or {}).get("bytes", 0) * fit.CLEARLY_SMALLER
        fitting = [file for file in self.files if file.bytes < limit]
        return fitting[-1] if fitting else None


@dataclass(frozen=True)
class Question:
    """A host that a person has to allow, and what goes on then."""

    host: str
    leads: list[str]  # names to which it may pass a request on
    led: str  # the one to which it just did, '' when it was not asked yet
    then: Callable[[fit.Machine], Awaitable]


class Shelf:
    """Calls `changed()` when there is something new to show."""

    def __init__(self, changed: Callable[[], None]):
        self.models: list[dict] = []  # kept by this site, last used first
        self.disk: list[dict] = []  # files of the person's disk, last used first
        self.downloads: dict[str, Download] = {}
        self.room: dict = {"usage": None, "quota": None, "persisted": False}
        self.hosts: dict[str, dict] = {}
        self.find: Find | None = None
        self.asking: Question | None = None
        self.hub = f"https://{hub.HUB}"  # that is searched: the one that was looked at last
        self.found: list[hub.Repository] = []
        self.inside: Anatomy | None = None  # of the model that is being looked into
        self.problem: Refused | None = None
        self.checked: dict[str, float | bool] = {}  # sha256 or key -> share done, or whether whole
        self.busy = False
        self._changed = changed
        self._bridge: Bridge | None = None

    def start(self, bridge: Bridge) -> None:
        if not self._bridge:
            self._bridge = bridge
            bridge.on_event("library", self._news)

    async def ask(self, verb: str, **asked: Any) -> Any:
        """Asks the library worker. Raises Refused."""
        return _value(await self._bridge.call("library", verb=verb, asked=asked))

    async def look(self) -> None:
        """Finds out what is kept, what was begun, and how much room there is."""
        await self._guarded(self._look())

    async def _look(self) -> None:
        listed = await self.ask("list")
        self.models = sorted(listed["models"], key=lambda model: -model["used"])
        for row in listed["begun"]:
            key = row["wanted"]["key"]
            self.downloads.setdefault(key, Download(row["wanted"], row["received"]))
        self.disk = await self._bridge.call("disk_files")
        self.room = await self._bridge.call("room")
        self.hosts = await self._bridge.call("hosts")

    # From an address to a receipt

    async def open(self, text: str, machine: fit.Machine) -> None:
        """Follows what a person pasted, up to the question, the choice or the receipt."""
        self.find = self.asking = None
        self.found = []
        await self._guarded(self._open(text, machine), partial(self.open, text))

    async def _open(self, text: str, machine: fit.Machine) -> None:
        address = hub.read_address(text)
        if address.repository:
            self.hub = address.base
        if self._allowed(address.host, partial(self.open, text)):
            await self._follow(address, machine)

    async def search(self, text: str, _: fit.Machine) -> None:
        """Asks the hub for repositories by a few words."""
        self.find = self.asking = None
        self.found = []
        await self._guarded(self._search(text), partial(self.search, text))

    async def _search(self, text: str) -> None:
        address = hub.search(self.hub, text)
        if self._allowed(self.hub_host, partial(self.search, text)):
            self.found = hub.repositories(await self.ask("text", url=address))

    @property
    def hub_host(self) -> str:
        return self.hub.partition("://")[2]

    def _allowed(self, host: str, then: Callable[[fit.Machine], Awaitable]) -> bool:
        """Whether a person has allowed the host; if not, they are asked."""
        if host in self.hosts:
            return True
        self.asking = Question(host, hub.LEADS.get(host, []), "", then)
        return False

    async def approve(self, machine: fit.Machine) -> None:
        """The person allows what was asked for, and what waited goes on."""
        question, self.asking = self.asking, None
        await self._bridge.call("approve_host", host=question.host, leads=question.leads)
        self.hosts = await self._bridge.call("hosts")
        await question.then(machine)

    def _led_elsewhere(self, refused: Refused, then: Callable[[fit.Machine], Awaitable]) -> bool:
        """Whether a host passed a request on to one that the person does not know: then they are
        asked about it."""
        host, led = refused.values.get("from"), refused.values.get("host")
        if refused.code != "host_led" or host not in self.hosts:
            return False
        self.asking = Question(host, [*self.hosts[host]["leads"], led], led, then)
        return True

    async def revoke(self, host: str) -> None:
        await self._bridge.call("revoke_host", host=host)
        self.hosts = await self._bridge.call("hosts")
        self._changed()

    def decline(self) -> None:
        self.asking = self.find = self.problem = None
        self.found = []
        self._changed()

    async def choose(self, path: str, machine: fit.Machine) -> None:
        """Takes one of the files found."""
        found = self.find
        file = next(file for file in found.files if file.path == path)
        weigh = self._weigh(found.address.file(path), file, machine)
        await self._guarded(weigh, partial(self.choose, path))

    async def _follow(self, address: hub.Address, machine: fit.Machine) -> None:
        if address.is_repository:
            files = hub.model_files(await self.ask("text", url=address.tree))
            self.find = Find(address, files)
        else:
            await self._weigh(address, await self._listed(address), machine)

    async def _listed(self, address: hub.Address) -> hub.File | None:
        """What the hub says of a file whose own address was pasted."""
        if not address.repository:
            return None
        try:
            files = hub.model_files(await self.ask("text", url=address.tree))
        except Refused:
            return None
        self.find = Find(address, files)
        return next((file for file in files if file.path == address.path), None)

    async def _weigh(
        self, address: hub.Address, file: hub.File | None, machine: fit.Machine
    ) -> None:
        """Reads the header alone, and says what the model would take."""
        files = self.find.files if self.find else []
        size, rate = HEADER_GUESS, None
        while True:
            seen = await self.ask("look", url=address.url, bytes=size)
            head = bytes(seen["head"])
            rate = len(head) / seen["seconds"] if seen["seconds"] else rate
            self.find = Find(address, files, _wanted(address, file, seen))
            try:
                self.find.receipt = self._receipt(head, machine, rate)
            except Incomplete as incomplete:
                if len(head) < size or incomplete.bytes_needed > MOST_HEADER:
                    raise Refused("broken_header", where="end") from incomplete
                size = incomplete.bytes_needed
            else:
                self.find.wanted["licence"] = self.find.receipt.card["license"]
                return

    def _receipt(self, head: bytes, machine: fit.Machine, rate: float | None) -> fit.Receipt:
        wanted = self.find.wanted
        usage, quota = self.room["usage"], self.room["quota"]
        known = usage is not None and quota is not None
        machine = fit.Machine(
            machine.tab_memory,
            max(0, int(quota - usage)) if known else None,
            machine.work_rate,
            rate,
        )
        return fit.receipt(head, wanted["bytes"], wanted["name"], machine)

    # Downloads

    async def download(self, wanted: dict) -> str | None:
        """Brings a file here, or goes on with it. Returns its hash, None if it did not come."""
        key = wanted["key"]
        known = self.downloads.get(key)
        current = Download(wanted, known.received if known else 0, running=True)
        self.downloads[key] = current
        self.find = None
        self._changed()
        try:
            await self._bridge.call("persist")
            sha256 = await self.ask("download", **wanted)
        except Refused as refused:
            current.running = False
            current.problem = None if refused.code == "cancelled" else refused
            if refused.code == "wrong_hash":
                current.received = 0
            self._led_elsewhere(refused, lambda _: self.download(wanted))
            self._changed()
            return None
        del self.downloads[key]
        await self.look()
        return sha256

    async def pause(self, key: str) -> None:
        await self.ask("pause", key=key)

    async def forget(self, key: str) -> None:
        """Cancels a download and deletes what was there of it."""
        await self._guarded(self.ask("forget", key=key))
        self.downloads.pop(key, None)
        await self.look()

    # Kept models and files on the disk

    async def verify(self, name: str) -> None:
        """Reads every byte of a model (its sha256) or of a file on the disk (its key)."""
        self.checked[name] = 0.0
        self._changed()
        try:
            if any(model["sha256"] == name for model in self.models):
                await self.ask("verify", sha256=name)
            else:
                _value(await self._bridge.call("verify_disk_file", key=name))
            self.checked[name] = True
        except Refused as refused:
            if refused.code == "wrong_hash":
                self.checked[name] = False
            else:
                del self.checked[name]
                self.problem = refused
        self._changed()

    async def inspect(self, name: str) -> None:
        """Reads the header of a kept model (its sha256) or of a file on the disk (its key)."""
        await self._guarded(self._inspect(name))

    async def _inspect(self, name: str) -> None:
        known = {one["sha256"]: one for one in self.models} | {one["key"]: one for one in self.disk}
        total, size = int(known[name]["bytes"]), HEADER_GUESS
        while True:
            head = await self._start_of(name, size)
            try:
                header = read_header(head, total)
            except Incomplete as incomplete:
                if len(head) < size or incomplete.bytes_needed > MOST_HEADER:
                    raise Refused("broken_header", where="end") from incomplete
                size = incomplete.bytes_needed
            else:
                self.inside = anatomy(name, header)
                return

    async def _start_of(self, name: str, size: int) -> bytes:
        if any(model["sha256"] == name for model in self.models):
            return bytes(await self.ask("head", sha256=name, bytes=size))
        return bytes(_value(await self._bridge.call("read_disk_file", key=name, bytes=size)))

    def close_inside(self) -> None:
        self.inside = None
        self._changed()

    async def remove(self, name: str) -> None:
        """Deletes a kept model; a file on the disk is only forgotten."""
        await self._guarded(self._remove(name))

    async def _remove(self, name: str) -> None:
        self.checked.pop(name, None)
        if any(model["sha256"] == name for model in self.models):
            await self.ask("remove", sha256=name)
        else:
            await self._bridge.call("forget_disk_file", key=name)
        await self._look()

    async def export(self, sha256: str) -> None:
        model = next(model for model in self.models if model["sha256"] == sha256)
        name = model["name"] if model["name"].endswith(".gguf") else f"{model['name']}.gguf"
        await self._bridge.call("export_model", sha256=sha256, name=name)

    async def pick(self) -> dict | None:
        """Lets the person pick a file of the disk. Returns the source to load, or None."""
        picked = await self._bridge.call("pick_model_file")
        return {"kind": "file", "key": picked["key"]} if picked else None

    async def reopen(self, key: str) -> dict | None:
        """The source of a file on the disk, after the person gave it again; None if not."""
        found: list[dict] = []

        async def reopen() -> None:
            found.append(_value(await self._bridge.call("open_disk_file", key=key)))

        await self._guarded(reopen())
        return {"kind": "file", "key": found[0]["key"]} if found else None

    async def persist(self) -> None:
        await self._bridge.call("persist")
        self.room = await self._bridge.call("room")
        self._changed()

    async def _guarded(
        self, work: Awaitable, again: Callable[[fit.Machine], Awaitable] | None = None
    ) -> None:
        """Runs one thing; what goes wrong becomes the problem that is shown, or a question after
        which it is done `again`."""
        self.problem, self.busy = None, True
        self._changed()
        try:
            await work
        except Refused as refused:
            if not (again and self._led_elsewhere(refused, again)):
                self.problem = refused
        finally:
            self.busy = False
            self._changed()

    def _news(self, news: dict) -> None:
        key, received = news["key"], int(news["received"])
        if current := self.downloads.get(key):
            current.hear(received)
        elif key in self.checked:
            self.checked[key] = received / max(1, int(news["total"]))
        self._changed()


def _value(answer: dict) -> Any:
    """What a service of the page answered. Raises Refused."""
    if failed := answer.get("failed"):
        raise Refused(failed["code"], **failed["values"])
    return answer.get("value")


def _wanted(address: hub.Address, file: hub.File | None, seen: dict) -> dict:
    """What to download, as far as hub and host have described it."""
    total = file.bytes if file else seen["total"]
    if not total:
        raise Refused("no_length", host=address.host)
    if file and seen["total"] and int(seen["total"]) != file.bytes:
        raise Refused("changed_file", host=address.host)
    sha256 = (file.sha256 if file else None) or seen["sha256"]
    return {
        "key": (sha256 or hashlib.sha256(address.url.encode()).hexdigest())[:KEY_LENGTH],
        "urls": [address.url],
        "name": address.name,
        "bytes": int(total),
        "sha256": sha256,
        "etag": seen["etag"],
        "licence": None,
    }
