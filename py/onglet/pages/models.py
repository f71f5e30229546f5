"""The page of models: what runs, what is kept on this device, what comes from a disk or a hub.

Draws the shelf (library/shelf.py) and passes on what is pressed.
"""

import time
from typing import Any

from onglet.components import Paper
from onglet.engine.errors import Refused
from onglet.library import fit
from onglet.library.catalogue import ENTRIES, Entry
from onglet.library.hub import File, Repository
from onglet.library.shelf import Download, Shelf
from onglet.sheets import inside
from onglet.sheets.side import buttons, form, plain, text, title
from onglet.words import explain, say, size

TITLE, ICON, PLACE = "models.title", "models", 60

MOST_SHOWN = 60  # files of one repository
FIRST = 4  # of the catalogue
GOOD_FOR = {
    "quick": "models.for.quick",
    "general": "models.for.general",
    "thinks": "models.for.thinks",
    "code": "models.for.code",
    "documents": "models.for.documents",
    "open": "models.for.open",
}
GAP = 0.1  # seconds between two drawings of what grows


def view(app: Any) -> Paper:
    """Builds the page."""
    return ModelsPage(app).paper


class ModelsPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.shelf = Shelf(self._changed)
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.shows_all = False  # of the catalogue
        self.deleting = ""  # the model that the person is asked about
        self._drawn = 0.0
        shelf, run = self.shelf, app.run
        self.paper.hear(
            pick=lambda _: run(self._pick()),
            site=lambda _: self.session.model.load_site_model(),
            unload=lambda _: run(self.session.unload()),
            cancel=lambda _: self.session.model.cancel_load(),
            address=lambda m: run(self._with_machine(shelf.open, m["address"])),
            search=lambda m: run(self._with_machine(shelf.search, m["query"])),
            look_at=lambda m: run(self._look_at(m["key"])),
            weigh=lambda m: run(self._with_machine(shelf.open, m["key"])),
            show_all=lambda _: self._show_all(),
            allow=lambda _: run(self._with_machine(shelf.approve)),
            decline=lambda _: shelf.decline(),
            choose=lambda m: run(self._with_machine(shelf.choose, m["key"])),
            get=lambda _: run(self._get(shelf.find.wanted)),
            go_on=lambda m: run(self._get(shelf.downloads[m["key"]].wanted)),
            pause=lambda m: run(shelf.pause(m["key"])),
            forget=lambda m: run(shelf.forget(m["key"])),
            use=lambda m: run(self._use(m["key"])),
            verify=lambda m: run(shelf.verify(m["key"])),
            export=lambda m: run(shelf.export(m["key"])),
            delete=lambda m: self._ask_to_delete(m["key"]),
            keep=lambda _: self._ask_to_delete(""),
            delete_now=lambda m: run(self._delete(m["key"])),
            inspect=lambda m: run(self._inspect(m["key"])),
            inspect_loaded=lambda _: run(self._inspect(self.session.model.source_key)),
            close_inside=lambda _: self._close_inside(),
            revoke=lambda m: run(shelf.revoke(m["key"])),
            persist=lambda _: run(shelf.persist()),
        )
        self.session.model.on("changed", lambda _: self._model_changed())
        app.on_shown("models", lambda: run(self._look()))
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("models.heading")}
        self.draw()

    # What is pressed

    async def _look(self) -> None:
        self.shelf.start(self.app.bridge)
        await self.shelf.look()

    def _model_changed(self) -> None:
        if self.app.shown != "models":
            return
        self.draw()
        if self.session.model.loaded and not self.session.model.loading:
            self.app.run(self._look())

    async def _pick(self) -> None:
        if source := await self.shelf.pick():
            self.session.model.load(source)

    async def _with_machine(self, act: Any, *arguments: Any) -> None:
        """Does what leads to a question, a list or a receipt, and brings that into sight."""
        await act(*arguments, await self._machine())
        self._show_outcome()

    def _show_outcome(self) -> None:
        outcome = [*self._problem(), *self._question(), *self._found()]
        if outcome and outcome[0] in self.paper.sections:
            self.paper.tell("show", section=self.paper.sections.index(outcome[0]))

    async def _look_at(self, repository: str) -> None:
        await self._with_machine(self.shelf.open, f"{self.shelf.hub}/{repository}")

    def _show_all(self) -> None:
        self.shows_all = True
        self.draw()

    async def _machine(self) -> fit.Machine:
        model = self.session.model
        work_rate = await model.work_rate(may_measure=not self.session.busy)
        return fit.Machine(model.tab_memory, work_rate=work_rate)

    async def _get(self, wanted: dict) -> None:
        await self.shelf.download(wanted)

    async def _use(self, name: str) -> None:
        """Loads a kept model, or a file on the disk after the person gave it again."""
        kept = any(model["sha256"] == name for model in self.shelf.models)
        if kept or name == self.session.model.site_hash:
            self.session.model.load_kept(name)
        elif source := await self.shelf.reopen(name):
            self.session.model.load(source)

    async def _inspect(self, name: str) -> None:
        await self.shelf.inspect(name)
        if self.shelf.inside:
            self.paper.tell("focus")
        else:
            self._show_outcome()

    def _close_inside(self) -> None:
        self.shelf.close_inside()
        self.paper.tell("focus")

    def _ask_to_delete(self, name: str) -> None:
        self.deleting = name
        self.draw()

    async def _delete(self, name: str) -> None:
        self.deleting = ""
        await self.shelf.remove(name)

    # What is shown

    def _changed(self) -> None:
        """Something grew or ended: what grows is drawn ten times a second."""
        grows = any(download.running for download in self.shelf.downloads.values())
        if grows and time.monotonic() - self._drawn < GAP:
            return
        self.draw()

    def draw(self) -> None:
        self._drawn = time.monotonic()
        sections = self._inside() if self.shelf.inside else self._sections()
        if sections != self.paper.sections:
            self.paper.sections = sections

    def _inside(self) -> list[dict]:
        back = plain(close_inside="models.inside.close")
        key = self.shelf.inside.key
        kept = {model["sha256"]: self._called(model) for model in self.shelf.models}
        kept |= {known["key"]: known["name"] for known in self.shelf.disk}
        return [back, *inside.sections(self.shelf.inside, kept.get(key, key)), back]

    def _called(self, model: dict) -> str:
        is_site = model["sha256"] == self.session.model.site_hash
        return say("models.site_model") if is_site else model["name"]

    def _sections(self) -> list[dict]:
        shelf = self.shelf
        return [
            text("models.meaning", "muted"),
            *self._running(),
            title("models.add"),
            text("models.disk_hint", "muted"),
            buttons(pick="model.open"),
            *self._catalogue(),
            form("search", "query", button="models.search") | self._search_hint(),
            form("address", "address", button="models.look", hint="models.address_hint"),
            *self._problem(),
            *self._question(),
            *self._found(),
            *items("models.downloads", [_download(one) for one in shelf.downloads.values()]),
            title("models.kept"),
            *self._kept(),
            *self._room(),
            *items("models.hosts", [_host(host) for host in shelf.hosts]),
        ]

    def _running(self) -> list[dict]:
        """What answers now."""
        session = self.session
        told = [title("models.now")]
        if problem := session.model.problem:
            told.append(_told(problem))
        if session.model.loading:
            return [*told, text("models.loading"), plain(cancel="model.cancel")]
        if not session.model.loaded:
            return [*told, text("models.none"), buttons(site="model.site")]
        card, memory = session.model.loaded.card, session.model.loaded.memory_bytes
        values = {"name": card["name"], "memory": memory, "context": session.model.loaded.context}
        told.append(text("models.answers", **values))
        site = {} if session.model.is_site_model else {"site": "model.site"}
        known = {model["sha256"] for model in self.shelf.models}
        known |= {one["key"] for one in self.shelf.disk}
        look = {"inspect_loaded": "models.inspect"} if session.model.source_key in known else {}
        return [*told, plain(**site, **look, unload="models.unload")]

    def _problem(self) -> list[dict]:
        if self.shelf.busy:
            return [text("models.busy", "muted")]
        return [_told(self.shelf.problem)] if self.shelf.problem else []

    def _question(self) -> list[dict]:
        asking = self.shelf.asking
        if not asking:
            return []
        key = "models.ask_leads" if asking.leads else "models.ask"
        key = "models.ask_led" if asking.led else key
        named = {"host": asking.host, "leads": ", ".join(asking.leads), "led": asking.led}
        question = text(key, "big", **named)
        return [question, buttons(allow="models.allow", decline="models.decline")]

    def _catalogue(self) -> list[dict]:
        listed = ENTRIES if self.shows_all else ENTRIES[:FIRST]
        rows = [self._entry(entry) for entry in listed]
        more = [] if self.shows_all else [plain(show_all="models.show_all")]
        hint = text("models.catalogue_hint", "muted")
        return [title("models.catalogue"), hint, {"kind": "items", "items": rows}, *more]

    def _entry(self, entry: Entry) -> dict:
        spoken = ", ".join(entry.languages) or say("models.many_languages")
        facts = [entry.parameters, entry.licence, spoken, say(GOOD_FOR[entry.good_for])]
        kept = [one for one in self.shelf.models if one["source"] == entry.address]
        if kept:
            facts.append(say("models.here"))
            return item(kept[0]["sha256"], entry.name, facts, use="models.use")
        return item(entry.address, entry.name, facts, weigh="models.choose")

    def _search_hint(self) -> dict:
        return {"hint": say("models.search_hint", host=self.shelf.hub_host)}

    def _found(self) -> list[dict]:
        find = self.shelf.find
        if not find:
            return items("models.found", [_repository(one) for one in self.shelf.found])
        if find.receipt:
            return self._receipt()
        rows = [_file(file) for file in find.files[:MOST_SHOWN]]
        named = {"kind": "title", "text": find.address.repository}
        return [named, {"kind": "items", "items": rows}]

    def _receipt(self) -> list[dict]:
        find = self.shelf.find
        receipt, card = find.receipt, find.receipt.card
        speed, wait = receipt.tokens_per_second, receipt.download_seconds
        rows = {
            "file": find.wanted["name"],
            "disk": size(receipt.file_bytes),
            "memory": size(receipt.memory_bytes),
            "weights": size(receipt.weight_bytes),
            "cache": size(receipt.cache_bytes),
            "app": size(receipt.app_bytes),
            "context": say("models.tokens", count=receipt.context),
            "speed": say("models.rate", rate=speed) if speed else say("model.unknown"),
            "wait": say("models.about", seconds=wait) if wait else say("model.unknown"),
            "license": card["license"] or say("model.unknown"),
            "hash": say("models.promised" if find.wanted["sha256"] else "models.unpromised"),
        }
        listed = [[say(f"models.receipt.{name}"), value, ""] for name, value in rows.items()]
        told = [
            {"kind": "title", "text": card["name"]},
            text(f"models.verdict.{receipt.verdict}", "big" if receipt.runs else "problem"),
            {"kind": "rows", "rows": listed},
        ]
        if receipt.verdict != "fits" and (smaller := find.smaller()):
            told += [text("models.smaller"), {"kind": "items", "items": [_file(smaller)]}]
        if receipt.runs:
            return [*told, buttons(get="models.get", decline="models.decline")]
        return [*told, plain(decline="models.decline")]

    def _kept(self) -> list[dict]:
        rows = [self._model(model) for model in self.shelf.models]
        rows += [self._disk_file(known) for known in self.shelf.disk]
        return [{"kind": "items", "items": rows}] if rows else [text("models.kept_none", "muted")]

    def _model(self, model: dict) -> dict:
        name = model["sha256"]
        facts = [size(int(model["bytes"])), say("models.here"), _used(model["used"])]
        verbs = {"use": "models.use", "verify": "models.verify", "inspect": "models.inspect"}
        verbs |= {"export": "models.export"}
        return self._row(name, self._called(model), facts, **verbs, delete="models.delete")

    def _disk_file(self, known: dict) -> dict:
        place = "models.on_disk" if known["lasts"] else "models.on_disk_now"
        facts = [size(int(known["bytes"])), say(place), _used(known["used"])]
        verbs = {"use": "models.use", "verify": "models.verify", "inspect": "models.inspect"}
        verbs |= {"delete": "models.take_off"}
        return self._row(known["key"], known["name"], facts, **verbs)

    def _row(self, name: str, called: str, facts: list[str], **verbs: str) -> dict:
        if self.deleting == name:
            row = item(name, called, facts, keep="models.keep", delete_now=verbs["delete"])
            return row | {"note": say("models.delete_sure"), "look": "problem"}
        row = item(name, called, facts, **verbs)
        checked = self.shelf.checked.get(name)
        if checked is False:
            return row | {"note": say("models.damaged"), "look": "problem"}
        if checked is True:
            return row | {"note": say("models.whole")}
        return row | ({} if checked is None else {"note": say("models.checking"), "share": checked})

    def _room(self) -> list[dict]:
        room, told = self.shelf.room, []
        if room["usage"] is not None and room["quota"]:
            usage, quota = int(room["usage"]), int(room["quota"])
            label = say("models.room", usage=usage, quota=quota)
            told.append({"kind": "progress", "share": usage / quota, "label": label})
            told.append({"kind": "text", "text": label, "look": "muted"})
        if room["persisted"]:
            return [*told, text("models.stays", "muted")]
        return [*told, text("models.may_go", "muted"), plain(persist="models.persist")]


def item(key: str, called: str, facts: list[str], **verbs: str) -> dict:
    """A row with what can be done to it: verb -> key of its word."""
    told = " · ".join(fact for fact in facts if fact)
    listed = plain(**verbs)["buttons"]
    plainly = {"note": "", "look": "muted", "share": None}
    return {"key": key, "title": called, "facts": told, "buttons": listed, **plainly}


def items(heading: str, rows: list[dict]) -> list[dict]:
    return [title(heading), {"kind": "items", "items": rows}] if rows else []


def _file(file: File) -> dict:
    facts = [file.quantization, size(file.bytes)]
    return item(file.path, file.path, facts, choose="models.choose")


def _repository(found: Repository) -> dict:
    many = found.downloads
    facts = [] if many is None else [say("models.times", count=many)]
    row = item(found.name, found.name, facts, look_at="models.look")
    return row | ({"note": say("models.gated")} if found.gated else {})


def _host(host: str) -> dict:
    return item(host, host, [], revoke="models.revoke")


def _told(problem: Refused) -> dict:
    return {"kind": "text", "look": "problem", "text": explain(problem.code, problem.values)}


def _used(milliseconds: float) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))
    return say("models.used", day=day)


def _download(download: Download) -> dict:
    wanted = download.wanted
    facts = [say("model.story", received=download.received, total=int(wanted["bytes"]))]
    if download.speed:
        facts.append(say("model.story_speed", speed=round(download.speed)))
        facts.append(say("model.story_left", left=download.left))
    if download.running:
        verbs = {"pause": "models.pause"}
    else:
        verbs = {"go_on": "models.go_on", "forget": "models.forget"}
    row = item(wanted["key"], wanted["name"], facts, **verbs) | {"share": download.share}
    if problem := download.problem:
        row |= {"note": explain(problem.code, problem.values), "look": "problem"}
    return row
