"""The artifacts page: small pages that a model wrote and that were kept. Each is shown in a frame
that runs no script and asks for nothing, with its source; an edit makes another one."""

from typing import Any

from onglet.agents.artifact import Page
from onglet.browser.safe import clean
from onglet.components import Paper
from onglet.sheets.share import Share
from onglet.sheets.side import buttons, plain, text
from onglet.vault.artifacts import LONGEST, Artifact, Artifacts, title_of
from onglet.words import say

TITLE, ICON, PLACE = "artifacts.title", "artifact", 40


def view(app: Any) -> Paper:
    """Builds the page."""
    return ArtifactsPage(app).paper


class ArtifactsPage:
    def __init__(self, app: Any):
        self.app = app
        self.keeper = app.session.keeper
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.kept: list[Artifact] = []
        self.shown: Artifact | None = None
        self.editing = False
        self.thrown_away: Artifact | None = None
        self.share = Share(app, self.paper, self.draw)
        self.paper.hear(
            show=lambda message: self._show(message["key"]),
            back=lambda _: self._show(""),
            edit=lambda _: self._edit(True),
            cancel=lambda _: self._edit(False),
            change=lambda message: app.run(self._change(message["text"])),
            copy=lambda _: app.copy(self.shown.source if self.shown else ""),
            delete=lambda message: app.run(self._delete(message["key"])),
            delete_shown=lambda _: app.run(self._delete(self.shown.id if self.shown else "")),
            undo=lambda _: app.run(self._undo()),
        )
        for news in ("state", "history"):
            self.keeper.on(news, lambda _: app.run(self._read()))
        app.on_language(self.relabel)
        app.on_shown("artifacts", lambda: app.run(self._read()))
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("artifacts.heading")}
        self.draw()

    # What is pressed

    def _show(self, id: str) -> None:
        self.shown = next((each for each in self.kept if each.id == id), None)
        self.share.begin(self._page(self.shown) if self.shown else None)
        self._edit(False)
        self.paper.tell("focus")

    def _page(self, artifact: Artifact) -> Page:
        """As it is shared: it names the page it was made from, if that is here."""
        parent = next((each for each in self.kept if each.id == artifact.parent), None)
        before = Page.of(parent.title, parent.source) if parent else None
        return Page.of(artifact.title, artifact.source, before)

    def _edit(self, begins: bool) -> None:
        self.editing, self.thrown_away = begins and self.shown is not None, None
        self.draw()

    async def _change(self, source: str) -> None:
        """An edit is kept as another one; the first stays."""
        store, before = self.keeper.open_store, self.shown
        if store and before and source.strip():
            self.editing = False
            source = source[:LONGEST]
            kept = await Artifacts(store).add(title_of(source), source, before.id)
            await self._read()
            self._show(kept.id)

    async def _delete(self, id: str) -> None:
        artifact = next((each for each in self.kept if each.id == id), None)
        if artifact and (store := self.keeper.open_store):
            await Artifacts(store).delete(id)
            self.shown, self.thrown_away = None, artifact
            await self._read()

    async def _undo(self) -> None:
        if (artifact := self.thrown_away) and (store := self.keeper.open_store):
            self.thrown_away = None
            await Artifacts(store).restore(artifact.id)
            await self._read()

    async def _read(self) -> None:
        store = self.keeper.open_store
        self.kept = await Artifacts(store).all() if store else []
        self.draw()

    # What is shown

    def draw(self) -> None:
        told = self._one(self.shown) if self.shown else self._list()
        if told != self.paper.sections:
            self.paper.sections = told

    def _list(self) -> list[dict]:
        told = [text("artifacts.meaning")]
        if self.thrown_away:
            name = clean(self.thrown_away.title)
            told += [text("artifacts.deleted", name=name), plain(undo="chat.undo")]
        if not self.kept:
            return [*told, text("artifacts.empty", "muted")]
        listed = {"show": "artifacts.show", "delete": "artifacts.delete"}
        choices = [{"name": name, "label": say(key), "main": False} for name, key in listed.items()]
        items = [item(each, choices) for each in self.kept]
        return [*told, {"kind": "items", "items": items}]

    def _one(self, artifact: Artifact) -> list[dict]:
        title = {"kind": "title", "text": clean(artifact.title)}
        if self.editing:
            form = {"kind": "source_editor", "name": "change", "text": artifact.source}
            labels = {"label": say("artifacts.source"), "button": say("artifacts.keep")}
            hint, cancel = (
                text("artifacts.edit.hint", "muted"),
                plain(cancel="composer.cancel_edit"),
            )
            return [title, hint, form | labels, cancel]
        parent = next((each.title for each in self.kept if each.id == artifact.parent), "")
        told = [text("artifacts.parent", "muted", name=clean(parent))] if parent else []
        frame = {"kind": "artifact", "source": artifact.source, "label": clean(artifact.title)}
        source = {"kind": "text", "text": clean(artifact.source), "look": "source"}
        what = {"edit": "artifacts.edit", "copy": "artifacts.copy"}
        what |= {"delete_shown": "artifacts.delete"}
        heading = {"kind": "title", "text": say("artifacts.source")}
        told += [frame, buttons(back="artifacts.back", **what), heading, source]
        return [title, *told, *self.share.sections()]


def item(artifact: Artifact, choices: list[dict]) -> dict:
    facts = say("artifacts.facts", count=len(artifact.source))
    shape = {"note": "", "look": "", "share": None, "facts": facts, "buttons": choices}
    return {**shape, "key": artifact.id, "title": clean(artifact.title)}
