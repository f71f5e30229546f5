"""The documents page: what of one's own this tab can answer from. Takes files in, lists and deletes
them, finds passages in them and shows each in its place.
"""

import time
from typing import Any

from onglet.components import Paper
from onglet.documents.library import Import
from onglet.documents.search import Hit
from onglet.engine.errors import Refused, problem_of
from onglet.sheets.side import buttons, plain, text, title
from onglet.vault.papers import Entry, Passage
from onglet.words import explain, say, size

TITLE, ICON, PLACE = "documents.title", "document", 30

GAP = 0.1  # seconds between two drawings of what grows
SHOWN = 30  # passages of a document at a time
BEFORE = 3  # passages above the one that is asked for


def view(app: Any) -> Paper:
    """Builds the page."""
    return DocumentsPage(app).paper


class DocumentsPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.library = app.session.documents
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.open: Entry | None = None  # the document that is shown
        self.passages: list[Passage] = []  # the part of it that is shown
        self.marked: int | None = None  # the place that was asked for
        self.question = ""
        self.hits: list[Hit] | None = None  # None: nothing was asked
        self.problem: Refused | None = None
        self.naming: tuple[str, str] | None = None  # collect a document, rename a collection
        self._drawn = 0.0
        library, run = self.library, app.run
        self.paper.hear(
            pick=lambda _: run(library.pick()),
            cancel=lambda m: run(library.cancel(m["key"])),
            again=lambda m: library.again(m["key"]),
            delete=lambda m: run(self._guarded(library.delete(m["key"]))),
            undo=lambda _: run(self._guarded(library.undo())),
            find=lambda m: run(self._guarded(self._find(m["find"]))),
            show=lambda m: library.show(m["key"]),
            show_hit=lambda m: self._show_hit(m["key"]),
            earlier=lambda _: run(self._guarded(self._turn(-SHOWN))),
            later=lambda _: run(self._guarded(self._turn(SHOWN))),
            back=lambda _: self._back(),
            ask=lambda m: self._ask(m.get("key", "")),
            collect=lambda m: self._name("collect", m["key"]),
            rename=lambda m: self._name("rename", m["key"]),
            name=lambda m: run(self._guarded(self._named(m["name"]))),
            no_name=lambda _: self._name(),
            dissolve=lambda m: run(self._guarded(library.dissolve(m["key"]))),
        )
        library.on("changed", lambda _: self._changed())
        library.on("show", lambda wanted: run(self._guarded(self._show(*wanted))))
        self.session.keeper.on("state", lambda _: self._state())
        app.on_shown("documents", library.look)
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("documents.heading")}
        self.draw()

    # What is pressed

    async def _guarded(self, work: Any) -> None:
        self.problem = None
        self.problem = await problem_of(work)
        self.draw()

    async def _find(self, question: str) -> None:
        self.question, self.hits = question, None
        self.hits = await self.library.search(question)

    def _show_hit(self, key: str) -> None:
        for hit in self.hits or []:
            if str(hit.passage.number) == key:
                self.library.show(hit.passage.document, hit.passage.place)

    async def _show(self, document: str, place: int | None) -> None:
        """Opens a document, at a passage."""
        self.open = next((one for one in self.library.entries if one.id == document), None)
        self.marked = place
        if self.open is None:
            raise Refused("document_gone")
        await self._read(max(0, (place or 0) - BEFORE))
        self.paper.tell("focus" if place is None else "reveal")

    async def _turn(self, step: int) -> None:
        await self._read(max(0, self.passages[0].place + step))
        self.paper.tell("focus")

    async def _read(self, first: int) -> None:
        self.passages = await self.library.passages(self.open.id, first, SHOWN)
        self.draw()

    def _name(self, work: str = "", key: str = "") -> None:
        """Asks for the name of a collection."""
        self.naming = (work, key) if work else None
        self.draw()
        if work:
            self.paper.tell("focus")

    async def _named(self, name: str) -> None:
        (work, key), self.naming = self.naming, None
        await (self.library.collect if work == "collect" else self.library.rename)(key, name)

    def _ask(self, collection: str) -> None:
        self.session.ask_documents(True, collection)
        self.app.go_to("chat")

    def _back(self) -> None:
        self.open, self.passages = None, []
        self.draw()
        self.paper.tell("focus")

    # What is shown

    def _state(self) -> None:
        """Locked: nothing of a document stays on the screen."""
        if not self.library.papers:
            self.open, self.passages, self.hits, self.question = None, [], None, ""
            self.naming = None
        self.draw()

    def _changed(self) -> None:
        """Something grew or ended: what grows is drawn ten times a second."""
        grows = any(one.done for one in self.library.imports)
        if not grows or time.monotonic() - self._drawn >= GAP:
            self.draw()

    def draw(self) -> None:
        self._drawn = time.monotonic()
        told = self._document() if self.open else self._list()
        if self.problem:
            words = explain(self.problem.code, self.problem.values)
            told = [{"kind": "text", "text": words, "look": "problem"}, *told]
        if told != self.paper.sections:
            self.paper.sections = told

    def _list(self) -> list[dict]:
        library = self.library
        if self.naming:
            return self._form()
        told = [text("documents.meaning", "muted")]
        if library.papers is None:
            locked = self.session.keeper.locked
            return [*told, text("documents.locked" if locked else "documents.no_store")]
        choices = {"ask": "documents.ask"} if library.entries else {}
        told += [buttons(pick="documents.pick", **choices), text("documents.kinds", "muted")]
        if library.imports:
            told += [{"kind": "items", "items": [importing(one) for one in library.imports]}]
        if entry := library.thrown_away:
            told += [text("documents.deleted", name=entry.name), plain(undo="chat.undo")]
        if library.dissolved:
            name = library.dissolved[0]
            told += [text("documents.dissolved", name=name), plain(undo="chat.undo")]
        if library.entries:
            told += self._search()
            told += self._kept()
        elif not library.imports:
            told.append(text("documents.empty"))
        return told

    def _kept(self) -> list[dict]:
        """The documents by collection; those of none are the first."""
        library, told = self.library, []
        for collection in ("", *library.collections):
            held = [one for one in library.entries if one.collection == collection]
            if not held:
                continue
            name = {"kind": "title", "text": collection}
            told += [name if collection else title("documents.kept")]
            if collection:
                names = {"ask": "documents.ask_these", "rename": "documents.rename"}
                names["dissolve"] = "documents.dissolve"
                told += [plain(**names) | {"key": collection}]
            told += [{"kind": "items", "items": [kept(one) for one in held]}]
        return told

    def _form(self) -> list[dict]:
        """The field for the name of a collection."""
        work, key = self.naming
        one = next((one for one in self.library.entries if one.id == key), None)
        known = one.collection if one else ""
        label = say("documents.name", name=one.name) if one else say("documents.rename_to")
        field = {"name": "name", "label": label, "type": "text", "autocomplete": "off"}
        field |= {"value": known if work == "collect" else key, "optional": work == "collect"}
        hint = ", ".join(self.library.collections)
        hint = say("documents.collections", names=hint) if hint and work == "collect" else ""
        form = {"kind": "form", "name": "name", "button": say("documents.save_name")}
        return [{**form, "hint": hint, "fields": [field]}, plain(no_name="documents.cancel")]

    def _search(self) -> list[dict]:
        field = {"name": "find", "label": say("documents.find"), "type": "search"}
        form = {"kind": "form", "name": "find", "button": say("documents.find.button")}
        told = [{**form, "hint": "", "fields": [{**field, "autocomplete": "off"}]}]
        if self.hits is None:
            return told
        if not self.hits:
            return [*told, text("documents.nothing", question=self.question)]
        show = {"name": "show_hit", "label": say("documents.show")}
        items = [passage(hit.passage, button=show) for hit in self.hits]
        told += [title("documents.found", question=self.question)]
        return [*told, {"kind": "passages", "items": items}]

    def _document(self) -> list[dict]:
        first, last = self.passages[0].place, self.passages[-1].place
        count = self.open.passages
        told = [plain(back="documents.back"), {"kind": "title", "text": self.open.name}]
        told += [text("documents.part", "muted", first=first + 1, last=last + 1, total=count)]
        items = [passage(one, self.marked, named=False) for one in self.passages]
        told += [{"kind": "passages", "items": items}]
        turns = {"earlier": "documents.earlier"} if first else {}
        turns |= {"later": "documents.later"} if last + 1 < count else {}
        return [*told, plain(**turns)] if turns else told


def place_of(one: Passage, named: bool = True) -> str:
    """Document, page and headings of a passage, in a line."""
    page = say("documents.page", page=one.page) if one.page else ""
    place = page or one.headings or say("documents.place", place=one.place + 1)
    seen = say("documents.seen") if one.seen else ""
    parts = (one.name if named else "", place, one.headings if page else "", seen)
    return " · ".join(part for part in parts if part)


def passage(
    one: Passage, marked: int | None = None, named: bool = True, button: dict | None = None
) -> dict:
    drawn = {"key": str(one.number), "place": place_of(one, named), "text": one.text}
    return {**drawn, "marked": one.place == marked, "button": button}


def kept(entry: Entry) -> dict:
    pages = [say("documents.pages", count=entry.pages)] if entry.pages else []
    facts = [*pages, say("documents.passages", count=entry.passages), size(entry.bytes)]
    names = {"show": "documents.open", "collect": "documents.collect", "delete": "documents.delete"}
    return item(entry.id, entry.name, " · ".join(facts), names)


def importing(one: Import) -> dict:
    if one.problem:
        words = explain(one.problem.code, one.problem.values)
        again = {"again": "documents.again"} if one.read else {}
        names = again if one.counts else {**again, "cancel": "documents.dismiss"}
        return item(one.key, one.name, size(one.bytes), names, note=words, look="problem")
    if one.cancelled:
        facts = say("documents.stage.cancelling")
    else:
        done = int(one.done) + (one.stage == "seeing")  # the page that is being looked at
        facts = say(f"documents.stage.{one.stage}", done=min(done, one.total), total=one.total)
    share = one.share if one.total else None
    names = {} if one.counts else {"cancel": "documents.cancel"}
    return item(one.key, one.name, facts, names, share=share)


def item(key: str, name: str, facts: str, names: dict, **more: Any) -> dict:
    listed = [{"name": kind, "label": say(word), "main": False} for kind, word in names.items()]
    plain_item = {"key": key, "title": name, "facts": facts, "note": "", "look": "", "share": None}
    return {**plain_item, "buttons": listed, **more}
