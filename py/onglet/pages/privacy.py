"""The privacy page: what left this tab, what is stored, and what is promised with its proof.

Shows what the browser itself says (web/page/observe.js, storage.js, seal.js); decides nothing.
"""

import json
import time
from typing import Any

from onglet.components import Paper
from onglet.promises import PROMISES
from onglet.sheets.side import buttons, text, title
from onglet.words import has, say, seconds, size

TITLE, ICON, PLACE = "privacy.title", "shield", 90

MOMENTS = ("first_paint", "prerendered", "live", "model_ready")
STORE = "onglet-store"  # the database's folder
VAULT = "onglet-vault"  # the database's key, wrapped
READINGS = "onglet-readings"  # always under a key that this browser keeps to itself
LEDGER_FILE = "onglet-ledger.json"


def view(app: Any) -> Paper:
    """Builds the page."""
    return PrivacyPage(app).paper


class PrivacyPage:
    def __init__(self, app: Any):
        self.app = app
        self.session = app.session
        self.paper = Paper(sizing_mode="stretch_both", margin=0)
        self.sealed: bool | None = False  # None: no service worker could keep a seal
        self.storage: dict = {"kept": [], "usage": None, "quota": None, "persisted": False}
        self.timeline: dict = {}
        self.asking = False  # whether to delete everything
        self.left_over: list | None = None  # what could not be deleted; None: nothing was
        self.paper.hear(
            export=lambda _: app.run(self._export()),
            seal=lambda _: app.run(self._seal()),
            delete_all=lambda _: self._ask(True),
            keep=lambda _: self._ask(False),
            delete_now=lambda _: app.run(self._delete()),
            reload=lambda _: app.run(app.bridge.call("reload")),
        )
        self.session.on("outside", self._outside)
        app.on_language(self.relabel)
        app.on_shown("privacy", lambda: app.run(self._look()))
        self.relabel()

    def relabel(self) -> None:
        self.paper.labels = {"title": say("privacy.heading")}
        self.draw()

    def _outside(self, name: str) -> None:
        if name == "offline_ready" and self.app.shown == "privacy":
            self.app.run(self._look())
        self.draw()

    async def _look(self) -> None:
        """Asks the browser for everything that the page shows."""
        self.sealed = await self.app.bridge.call("is_sealed")
        self.timeline = await self.app.bridge.call("timeline")
        self.draw()
        self.storage = await self.app.bridge.call("storage_map")
        self.draw()

    async def _export(self) -> None:
        exported = {"onglet": "ledger", "saved": int(time.time() * 1000), **self.session.ledger}
        whole = json.dumps(exported, indent=2)
        await self.app.bridge.call("save_text", name=LEDGER_FILE, text=whole)

    async def _seal(self) -> None:
        self.sealed = await self.app.bridge.call("seal_session")
        self.draw()

    def _ask(self, asking: bool) -> None:
        self.asking = asking
        self.draw()

    async def _delete(self) -> None:
        self.asking = False
        self.left_over = await self.session.delete_everything()
        await self._look()

    # What is shown

    def draw(self) -> None:
        sections = [
            *self._ledger(),
            *self._seal_told(),
            *self._stored(),
            *self._started(),
            *self._promised(),
        ]
        if sections != self.paper.sections:
            self.paper.sections = sections

    def _ledger(self) -> list[dict]:
        ledger = self.session.ledger
        told = [text("silence.sent", "big", sent=ledger["bytes"]), text("silence.meaning")]
        if not ledger["entries"]:
            return [*told, text("silence.none")]
        columns = [say(f"privacy.ledger.{name}") for name in ("at", "host", "why", "sent", "yes")]
        rows = [self._entry(entry) for entry in ledger["entries"]]
        table = {"kind": "table", "caption": say("privacy.ledger"), "columns": columns}
        return [*told, {**table, "rows": rows}, buttons(export="privacy.export")]

    def _entry(self, entry: dict) -> list[str]:
        approved = clock(entry["approved"]) if entry["approved"] else say("privacy.nobody")
        why = say(f"privacy.why.{entry['why']}")
        return [clock(entry["at"]), entry["host"], why, size(entry["bytes"]), approved]

    def _seal_told(self) -> list[dict]:
        told = [title("privacy.seal.title")]
        if self.sealed is None:
            return [*told, text("privacy.seal.cannot")]
        if self.sealed:
            return [*told, text("privacy.seal.holds")]
        return [*told, text("privacy.seal.offer"), buttons(seal="privacy.seal")]

    def _stored(self) -> list[dict]:
        storage = self.storage
        told = [title("privacy.stored.title")]
        if self.left_over is not None:
            again = buttons(reload="privacy.deleted.again")
            return [*told, *self._deleted(), again]
        if storage["kept"]:
            columns = [say(f"privacy.stored.{name}") for name in ("what", "where", "size", "safe")]
            rows = [self._kept(row) for row in storage["kept"]]
            table = {"kind": "table", "caption": say("privacy.stored.title"), "columns": columns}
            told.append({**table, "rows": rows})
        else:
            told.append(text("privacy.stored.nothing"))
        if storage["usage"] is not None and storage["quota"]:
            told.append(text("privacy.stored.room", "muted", **pick(storage, "usage", "quota")))
        lasts = "stays" if storage["persisted"] else "may_go"
        told.append(text(f"privacy.stored.{lasts}", "muted"))
        if self.asking:
            choice = buttons(keep="privacy.keep", delete_now="privacy.delete_now")
            return [*told, text("privacy.delete.sure", "problem"), choice]
        return [*told, plain_button("delete_all", "privacy.delete")]

    def _kept(self, row: dict) -> list[str]:
        key = f"privacy.kept.{row['place']}.{row['name']}"
        what = say(key) if has(key) else row["name"]
        weight = size(row["bytes"]) if row["place"] != "database" else say("privacy.stored.small")
        encrypted = {STORE: self.session.keeper.state.get("encrypted"), READINGS: True, VAULT: True}
        safe = say("privacy.stored.yes" if encrypted.get(row["name"]) else "privacy.stored.plain")
        return [what, say(f"privacy.place.{row['place']}"), weight, safe]

    def _deleted(self) -> list[dict]:
        if not self.left_over:
            return [text("privacy.deleted")]
        names = [row["name"] for row in self.left_over]
        return [text("privacy.deleted.not", "problem"), {"kind": "list", "items": names}]

    def _started(self) -> list[dict]:
        moments = [(name, self.timeline[name]) for name in MOMENTS if name in self.timeline]
        if not moments:
            return []
        longest = max(at for _, at in moments)
        items = [
            [say(f"privacy.moment.{name}"), at / longest, seconds(at / 1000)]
            for name, at in moments
        ]
        return [title("privacy.start.title"), {"kind": "plot", "items": items}]

    def _promised(self) -> list[dict]:
        items = [[say(f"privacy.promise.{name}"), test] for name, test in PROMISES.items()]
        return [
            title("privacy.promise.title"),
            text("privacy.promise.how", "muted"),
            {"kind": "proved", "items": items},
            title("privacy.cover.title"),
            text("silence.cover"),
        ]


def plain_button(name: str, key: str) -> dict:
    return {"kind": "buttons", "buttons": [{"name": name, "label": say(key), "main": False}]}


def pick(values: dict, *names: str) -> dict:
    return {name: values[name] for name in names}


def clock(milliseconds: int) -> str:
    """The time of day here, to the second."""
    return time.strftime("%H:%M:%S", time.localtime(milliseconds / 1000))
