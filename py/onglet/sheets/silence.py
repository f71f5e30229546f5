"""What left this tab: the ledger of requests to other sites, and what that promise covers."""

from typing import Any

from onglet.sheets.side import SideSheet, buttons, text
from onglet.words import say

WHY = {why: f"silence.{why}" for why in ("refused", "seen", "link", "model")}


class SilenceSheet(SideSheet):
    title = "silence.title"

    def __init__(self, app: Any):
        super().__init__()
        self.session = app.session
        self.app = app
        self.sheet.hear(more=lambda _: self._more())
        self.session.on("outside", lambda _: self.draw())
        app.on_language(self.relabel)
        self.relabel()

    def draw(self) -> None:
        ledger = self.session.ledger
        self.sheet.sections = [
            text("silence.sent", "big", sent=ledger["bytes"]),
            *self._requests(ledger),
            text("silence.meaning"),
            text(self._offline()),
            text("silence.kept", "muted"),
            text("silence.cover", "muted"),
            buttons(more="silence.more"),
        ]

    def _more(self) -> None:
        self.close()
        self.app.go_to("privacy")

    def _offline(self) -> str:
        if not self.session.online:
            return "silence.offline"
        known = {True: "silence.offline_ready", False: "silence.offline_not"}
        return known.get(self.session.offline_ready, "silence.offline_storing")

    def _requests(self, ledger: dict) -> list[dict]:
        """Which other sites were asked; a refused request never left."""
        entries = ledger["entries"]
        if not entries:
            return [text("silence.none")]
        hosts = [self._entry(entry) for entry in entries]
        return [text("silence.requests", count=len(entries)), {"kind": "list", "items": hosts}]

    def _entry(self, entry: dict) -> str:
        return say(WHY[entry["why"]], host=entry["host"])
