"""The documents of this tab: files become passages with vectors in the store, and questions find
them. Decides in which order things are done; the workshop (onglet/workshop.py) reads and embeds.

Tells listeners of `changed` (something to draw) and `show` (a passage is to be seen). No screen.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from onglet.browser.bridge import Bridge, Listeners, ServiceFailed
from onglet.browser.safe import clean
from onglet.documents.search import EACH, Hit, Near, search
from onglet.engine.errors import Refused, problem_of
from onglet.vault.keeper import Keeper
from onglet.vault.papers import Entry, Papers, Passage
from onglet.vault.store import answered

LOG = logging.getLogger(__name__)
ENCODER = "all-MiniLM-L6-v2 Q8_0"  # with each document: vectors of two encoders are never compared
WRITTEN = 200  # passages at a time
EMBEDDED = 64  # passages at a time; a killed tab loses so many vectors at most
LONGEST_NAME = 200  # characters
READING = ("waking", "getting", "reading", "seeing")


@dataclass
class Import:
    """A file on its way into the store."""

    key: str  # by which the page knows the file
    name: str
    bytes: int
    stage: str = "waiting"  # waking, getting (bytes), reading (pages), indexing (passages), ended
    done: float = 0
    total: int = 0
    problem: Refused | None = None
    cancelled: bool = False
    task: int = 0  # of the workshop
    document: str | None = None  # its id in the store, from when it is written there
    read: bool = False  # all of its passages are in the store
    before: int = 0  # passages that had their vectors before this task
    counts: bool = False  # only its vectors are made anew: the document stays, whatever happens

    def step(self, stage: str, done: float = 0, total: int = 0) -> None:
        self.stage, self.done, self.total = stage, done, total

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0


class Library:
    def __init__(self, keeper: Keeper):
        self.keeper = keeper
        self.entries: list[Entry] = []
        self.imports: list[Import] = []
        self.thrown_away: Entry | None = None
        self.dissolved: tuple[str, list[str]] | None = None  # a collection, and what was in it
        self.bridge: Bridge | None = None
        self._listeners = Listeners()
        self._tasks = itertools.count(1)
        self._work: asyncio.Task | None = None
        self._reading: asyncio.Task | None = None
        self._cleared = False

    def on(self, name: str, listener: Callable[[Any], None]) -> None:
        self._listeners.add(name, listener)

    def _tell(self, name: str, value: Any = None) -> None:
        self._listeners.tell(name, value)

    def start(self, bridge: Bridge) -> None:
        """Listens to the page and the vault."""
        self.bridge = bridge
        bridge.on_event("workshop", self._progress)
        bridge.on_event("dropped_documents", self.add)
        self.keeper.on("state", lambda _: self._state())
        self.keeper.on("history", lambda _: self.look())

    @property
    def papers(self) -> Papers | None:
        """The way to what is kept; None while the store is not open."""
        store = self.keeper.open_store
        return Papers(store) if store else None

    # What is kept

    def _state(self) -> None:
        """Locked: no word of a document stays in this tab."""
        if self.papers is None and self.keeper.state["phase"] != "starting":
            self.thrown_away, self.dissolved, self._cleared = None, None, False
            if self.imports or self.entries:
                self.imports.clear()
                self._reading = asyncio.ensure_future(self.bridge.call("end_workshop"))
            self.entries = []
            self._tell("changed")

    def look(self) -> None:
        """Reads the list anew."""
        if self.papers:
            self._reading = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        if not (papers := self.papers):
            return
        try:
            if not self._cleared:
                self._cleared = True
                await papers.clear()
                await papers.made_by(ENCODER)
            entries = await papers.all()
        except (Refused, ServiceFailed) as error:
            LOG.info("documents not listed: %s", error)
            return
        if self.papers and entries != self.entries:
            self.entries = entries
            self._tell("changed")
        await self._take_up(papers)

    async def delete(self, id: str) -> None:
        """Throws a document away; `undo` brings it back."""
        papers = self.papers
        entry = next((each for each in self.entries if each.id == id), None)
        if papers and entry:
            await papers.delete(id)
            self.thrown_away, self.dissolved = entry, None
            await self._look()

    async def undo(self) -> None:
        """Brings back what was thrown away last, a document or a collection."""
        if not (papers := self.papers):
            return
        if entry := self.thrown_away:
            self.thrown_away = None
            await papers.restore(entry.id)
        if dissolved := self.dissolved:
            self.dissolved = None
            await papers.collect(dissolved[1], dissolved[0])
        await self._look()

    @property
    def collections(self) -> list[str]:
        """The names of those that hold something, by the alphabet."""
        return sorted({each.collection for each in self.entries} - {""}, key=str.casefold)

    def held(self, collection: str) -> list[str]:
        """The ids of the documents in a collection; of all of them, when there is none such."""
        held = [each.id for each in self.entries if each.collection == collection]
        return held if collection and held else [each.id for each in self.entries]

    async def collect(self, id: str, collection: str) -> None:
        """Puts a document into the collection of that name; '' takes it out."""
        if papers := self.papers:
            await papers.collect([id], clean(collection).strip()[:LONGEST_NAME])
            await self._look()

    async def rename(self, collection: str, name: str) -> None:
        """Gives a collection another name; one that is there takes its documents in."""
        name = clean(name).strip()[:LONGEST_NAME]
        if (papers := self.papers) and name and collection in self.collections:
            await papers.collect(self.held(collection), name)
            self._tell("renamed", (collection, name))
            await self._look()

    async def dissolve(self, collection: str) -> None:
        """Takes a collection away; its documents stay, `undo` puts them back."""
        if (papers := self.papers) and collection in self.collections:
            self.dissolved, self.thrown_away = (collection, self.held(collection)), None
            await papers.collect(self.dissolved[1], "")
            await self._look()

    async def passages(self, id: str, first: int, count: int) -> list[Passage]:
        papers = self.papers
        return await papers.passages(id, first, count) if papers else []

    def show(self, document: str, place: int | None = None) -> None:
        """Somebody wants to see a document, or one passage in its place."""
        self._tell("show", (document, place))

    # Files into the store

    async def pick(self) -> None:
        """Lets the person choose files, and takes them in."""
        self.add(await self.bridge.call("pick_documents"))

    def add(self, files: list[dict]) -> None:
        """Takes files in, one after the other: `{key, name, bytes}` of the page."""
        for file in files:
            name = clean(file["name"])[:LONGEST_NAME]
            fresh = Import(file["key"], name, file["bytes"])
            self.imports = [one for one in self.imports if one.key != fresh.key or not one.problem]
            if any(each.key == fresh.key for each in self.imports):
                continue
            self.imports.append(fresh)
        self._go_on()

    async def cancel(self, key: str) -> None:
        """Ends an import; nothing of it stays."""
        for each in [each for each in self.imports if each.key == key]:
            each.cancelled = True
            if each.stage == "waiting" or each.problem:
                self.imports.remove(each)
                await self._forget(each)
            else:
                await self.bridge.call("end_workshop")
        self._tell("changed")

    def again(self, key: str) -> None:
        """Goes on with an import that ended with a problem after it was read."""
        for each in self.imports:
            if each.key == key and each.read:
                each.problem = None
                each.step("waiting")
        self._go_on()

    def _go_on(self) -> None:
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._take_all())
        self._tell("changed")

    async def _take_up(self, papers: Papers) -> None:
        """Goes on with what was cut short (a killed tab, a lock) and is no other tab's work."""
        for entry, read, counts in await papers.unfinished():
            ours = any(each.document == entry.id for each in self.imports)
            if ours or not await self.bridge.call("hold_document", id=entry.id):
                continue
            known = {"document": entry.id, "read": read, "counts": counts}
            one = Import(entry.id, entry.name, entry.bytes, **known)
            if not read:
                await papers.remove(entry.id)
                one.stage, one.problem = "ended", Refused("document_cut_short")
            self.imports.append(one)
            self._go_on()

    async def _take_all(self) -> None:
        while waiting := [each for each in self.imports if each.stage == "waiting"]:
            one = waiting[0]
            one.problem = await problem_of(self._take(one))
            one.stage = "ended"
            if one.cancelled:
                await self._forget(one)
            if (one.cancelled or not one.problem) and one in self.imports:
                self.imports.remove(one)
            await self._look()
            self._tell("changed")

    async def _forget(self, one: Import) -> None:
        if one.document and not one.counts and (papers := self.papers):
            await papers.remove(one.document)

    async def _take(self, one: Import) -> None:
        """A file -> passages in the store -> their vectors. Raises Refused; what was read stays."""
        papers = self.papers
        if not papers:
            raise Refused("store_locked" if self.keeper.locked else "no_storage")
        if not one.read:
            await self._read(papers, one)
        await self._index(papers, one)
        if not one.counts:
            await papers.finish(one.document)

    async def _read(self, papers: Papers, one: Import) -> None:
        """All the passages of a file into the store, or none."""
        others = [*self.entries, *(each for each in self.imports if each.read)]
        if any((each.name, each.bytes) == (one.name, one.bytes) for each in others):
            raise Refused("document_known")
        one.step("waking")
        self._tell("changed")
        read = await self._ask("read_document", one, name=one.name)
        one.document = secrets.token_hex(8)
        await self.bridge.call("hold_document", id=one.document)
        try:
            entry = Entry(one.document, one.name, one.bytes, read["pages"])
            await papers.begin(entry, ENCODER)
            for first in range(0, len(read["passages"]), WRITTEN):
                part = enumerate(read["passages"][first : first + WRITTEN], first)
                rows = [
                    (place, page, clean(above), clean(text), seen)
                    for place, (text, page, above, seen) in part
                ]
                self._check(one)
                await papers.add(one.document, rows)
            await papers.was_read(one.document)
        except BaseException:
            await papers.remove(one.document)
            raise
        one.read = True

    async def _index(self, papers: Papers, one: Import) -> None:
        """Vectors for the passages that have none."""
        left, total = await papers.left(one.document)
        while batch := await papers.without_vector(one.document, EMBEDDED):
            one.before = total - left
            one.step("indexing", one.before, total)
            self._tell("changed")
            texts = [f"{above}\n{text}" if above else text for _, above, text in batch]
            vectors = await self._ask("embed", one, texts=texts)
            self._check(one)
            numbers = [number for number, _, _ in batch]
            await papers.set_vectors(list(zip(numbers, vectors, strict=True)))
            left -= len(batch)

    def _check(self, one: Import) -> None:
        if one.cancelled or one not in self.imports:
            raise Refused("cancelled")

    def _progress(self, told: dict) -> None:
        for one in self.imports:
            if one.task != told["task"]:
                continue
            stage, done, total = (told["value"][name] for name in ("stage", "done", "total"))
            if stage == "indexing":
                one.done = one.before + done
            elif one.stage in READING:
                one.step(stage, done, total)
            self._tell("changed")

    async def _ask(self, job: str, one: Import | None = None, **arguments: Any) -> Any:
        """One job of the workshop. Raises Refused."""
        task = next(self._tasks)
        file = None
        if one:
            one.task, file = task, one.key
        given = {"task": task, "job": job, "arguments": arguments, "file": file}
        return answered(await self.bridge.call("workshop", **given))

    # Questions

    async def vectors(self, texts: list[str]) -> list[str]:
        """The vector of each text, by the encoder of the documents: base64 of signed bytes, a
        length of 1 is 127. Raises Refused."""
        return await self._ask("embed", texts=texts)

    async def search(self, question: str, collection: str = "") -> list[Hit]:
        """The passages that fit a question, of a collection or of all documents; none when nothing
        does. Raises Refused."""
        papers = self.papers
        if papers and not self.entries:
            await self._look()
        if not papers or not self.entries:
            return []
        documents = sorted(self.held(collection))
        near = await self._near(papers, question, documents)
        return await search(papers, question, documents, near)

    async def _near(self, papers: Papers, question: str, documents: list[str]) -> Near | None:
        """What comes nearest in meaning; None when the workshop does not run, or vectors are being
        made anew: words must do."""
        index = " ".join(documents)
        given = {"question": question, "index": index, "count": EACH}
        try:
            found = await self._ask("nearest", **given)
            if found is None:  # a workshop that does not know these documents yet
                if not (rows := await papers.vectors(documents)):
                    return None
                given |= {"numbers": [number for number, _ in rows]}
                given |= {"vectors": "".join(vector for _, vector in rows)}
                found = await self._ask("nearest", **given)
            return [(number, cosine) for number, cosine in found]
        except (Refused, ServiceFailed) as error:
            LOG.warning("searched by words alone: %s", error)
            return None
