"""The list of conversations, at the left: found, opened, renamed, grouped, thrown away."""

import time
from typing import Any

from panel_material_ui import Drawer

from onglet.agents.conversation import new_id
from onglet.components import History as HistoryPart
from onglet.sheets.side import LOOK
from onglet.vault.history import Entry, Folder
from onglet.words import say

WIDTH = 340
LABELS = {
    "title": "history.title",
    "close": "model.close",
    "search": "history.search",
    "more": "history.more",
    "name": "history.name",
    "rename": "history.rename",
    "delete": "history.delete",
    "folder": "history.folder",
    "no_folder": "history.no_folder",
    "new_folder": "history.new_folder",
    "folder_name": "history.folder_name",
    "delete_folder": "history.delete_folder",
    "make": "history.make",
    "data": "history.data",
}
DAY = 86_400
AGES = ((0, "history.today"), (1, "history.yesterday"), (7, "history.week"))  # days back
OLDER = "history.earlier"


class HistorySheet:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.keeper = app.session.keeper
        self.part = HistoryPart(sizing_mode="stretch_both", margin=0)
        look = {name: value for name, value in LOOK.items() if not name.startswith("@media")}
        look["maxWidth"] = "88vw"
        self.drawer = Drawer(self.part, anchor="left", size=WIDTH, sx=look, margin=0)
        self._text = ""
        self._thrown: str | None = None
        self._asked = 0
        self._listen()
        app.on_language(self.relabel)
        self.relabel()

    def _listen(self) -> None:
        run = self.app.run
        self.part.hear(
            close=lambda _: self.close(),
            data=lambda _: self._open_data(),
            search=lambda message: self._search(message["text"]),
            open=lambda message: run(self._open(message["id"])),
            rename=lambda message: run(self._rename(message["id"], message["title"])),
            delete=lambda message: run(self._delete(message["id"])),
            undo=lambda _: run(self._undo()),
            move=lambda message: run(self._move(message["id"], message["folder"] or None)),
            make_folder=lambda message: run(self._make_folder(message["id"], message["name"])),
            delete_folder=lambda message: run(self._delete_folder(message["folder"])),
        )
        self.keeper.on("history", lambda _: self.refresh())
        self.session.on("turns", lambda _: self.refresh())

    def relabel(self) -> None:
        self.part.labels = {name: say(key) for name, key in LABELS.items()}
        self._draw_undo()
        self.refresh()

    def open(self) -> None:
        self.drawer.open = True
        self.refresh()

    def close(self) -> bool:
        """Says whether it was open."""
        was_open, self.drawer.open = self.drawer.open, False
        return was_open

    def refresh(self) -> None:
        """Reads the list anew, if anybody sees it."""
        if self.drawer.open:
            self.app.run(self._read())

    async def _read(self) -> None:
        self._asked += 1
        asked, history = self._asked, self.keeper.history
        entries = await history.search(self._text) if history else []
        folders = await history.folders() if history else []
        if asked != self._asked:
            return  # a newer question is under way
        empty = "history.none_found" if self._text.strip() else "history.empty"
        self.part.param.update(
            groups=self._groups(entries, folders),
            folders=[[folder.id, folder.name] for folder in folders],
            empty=say("history.locked" if self.keeper.locked else empty),
        )

    def _groups(self, entries: list[Entry], folders: list[Folder]) -> list[dict]:
        """Folders first, then the rest by age."""
        groups = {folder.id: self._group(folder.name, folder.id) for folder in folders}
        for _, key in (*AGES, (0, OLDER)):
            groups[key] = self._group(say(key), "")
        for entry in entries:
            place = entry.folder if entry.folder in groups else age_of(entry.changed)
            current = entry.id == self.session.conversation.id
            item = {"id": entry.id, "title": entry.title, "folder": entry.folder or ""}
            groups[place]["items"].append({**item, "current": current})
        return [group for group in groups.values() if group["items"] or group["folder"]]

    def _group(self, name: str, folder: str) -> dict:
        return {"name": name, "folder": folder, "items": []}

    # What is pressed

    def _search(self, text: str) -> None:
        self._text = text
        self.refresh()

    def _open_data(self) -> None:
        self.close()
        self.app.data_sheet.open()

    async def _open(self, id: str) -> None:
        if self.session.busy:
            self.session.stop()
            await self.session.rest()
        await self.session.open_conversation(id)
        self.close()

    async def _rename(self, id: str, title: str) -> None:
        if title.strip():
            await self.keeper.history.rename(id, title.strip())
            self.session.renamed(id, title.strip())
            self.refresh()

    async def _delete(self, id: str) -> None:
        await self.session.delete_conversation(id)
        self._thrown = id
        self._draw_undo()
        self.refresh()

    async def _undo(self) -> None:
        thrown, self._thrown = self._thrown, None
        self._draw_undo()
        if thrown:
            await self.keeper.history.restore(thrown)
            self.refresh()

    def _draw_undo(self) -> None:
        words = {"text": say("history.deleted"), "action": say("chat.undo")}
        self.part.notice = words if self._thrown else {"text": "", "action": ""}

    async def _move(self, id: str, folder: str | None) -> None:
        await self.keeper.history.move(id, folder)
        self.refresh()

    async def _make_folder(self, id: str, name: str) -> None:
        if name.strip():
            folder = Folder(new_id(), name.strip())
            await self.keeper.history.make_folder(folder)
            await self._move(id, folder.id)

    async def _delete_folder(self, id: str) -> None:
        await self.keeper.history.delete_folder(id)
        self.refresh()


def age_of(changed: float) -> str:
    """The key of the group for a time (seconds since 1970), by local days."""
    now = time.localtime()
    midnight = time.time() - (now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec)
    return next((key for days, key in AGES if changed >= midnight - days * DAY), OLDER)
