"""What runs: the model's card and its loading, another model from a file, and how it answers."""

from typing import Any

from onglet.agents.loop import Settings
from onglet.browser.safe import clean
from onglet.sheets import sampling, speeds
from onglet.sheets.side import SideSheet, buttons, text
from onglet.words import explain, has, number, say, seconds, size

MILLION, BILLION = 10**6, 10**9


class ModelSheet(SideSheet):
    title = "model.title"

    def __init__(self, app: Any):
        self.session = app.session
        super().__init__()
        self.sheet.hear(
            cancel=lambda _: self.session.model.cancel_load(),
            load=lambda _: self.session.model.load(),
            site=lambda _: self.session.model.load_site_model(),
            open=lambda _: app.run(self.session.model.open_file()),
            set=lambda message: self._set(message["name"], message["value"]),
            reset=lambda _: self._reset(),
        )
        self.session.model.on("changed", lambda _: self.draw())
        for name in ("turn", "turns"):
            self.session.on(name, lambda _: self.draw())
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        super().relabel()
        self._draw_controls()

    def draw(self) -> None:
        session = self.session
        sections = []
        if session.model.problem:
            sections.append({"kind": "text", "look": "problem", "text": self._what_went_wrong()})
        if session.model.loading:
            sections += self._story()
        elif session.model.loaded:
            sections += self._card()
        elif session.model.engine:
            sections += [buttons(load="model.load", open="model.open"), self._hint()]
        if session.model.loaded and not session.model.loading:
            site = {} if session.model.is_site_model else {"site": "model.site"}
            sections += [buttons(open="model.open", **site), self._hint()]
        sections += speeds.sections()
        if agent := session.conversation.agent:
            sections.append(text("sampling.agent", name=clean(agent.name)))
        if sections != self.sheet.sections:
            self.sheet.sections = sections

    def _what_went_wrong(self) -> str:
        problem = self.session.model.problem
        if problem.code == "cancelled" and not self.session.model.loaded:
            return say("model.cancelled")
        return explain(problem.code, problem.values)

    def _draw_controls(self) -> None:
        self.sheet.controls = {
            "title": say("sampling.title"),
            "items": sampling.controls(self.session.settings),
            "reset": say("sampling.reset"),
        }

    def _set(self, name: str, value: Any) -> None:
        self.session.settings = sampling.changed(self.session.settings, name, value)

    def _reset(self) -> None:
        self.session.settings = Settings()
        self._draw_controls()

    def _hint(self) -> dict:
        return text("model.open_hint", "muted")

    def _story(self) -> list[dict]:
        """How far the load has come: MB of MB, MB/s, seconds left."""
        loading = self.session.model.loading
        if loading.stage != "download" or not loading.total:
            key = "model.story_preparing" if loading.stage else "model.story_starting"
            return [text(key), buttons(cancel="model.cancel")]
        parts = [say("model.story", received=loading.received, total=loading.total)]
        if loading.speed:
            parts.append(say("model.story_speed", speed=round(loading.speed)))
            parts.append(say("model.story_left", left=loading.left))
        share = loading.received / loading.total
        return [
            {"kind": "progress", "share": share, "label": say("model.loading")},
            {"kind": "text", "text": " · ".join(parts), "look": ""},
            buttons(cancel="model.cancel"),
        ]

    def _card(self) -> list[dict]:
        loaded, card = self.session.model.loaded, self.session.model.loaded.card
        used = {"used": self.session.context_used, "context": loaded.context}
        backend = f"backend.{loaded.backend}"
        rows = {
            "name": card.get("name"),
            "parameters": _parameters(card.get("parameters")),
            "file_bytes": size(card["file_bytes"]),
            "quantization": card.get("quantization"),
            "architecture": card.get("architecture"),
            "license": card.get("license"),
            "languages": ", ".join(card.get("languages") or []),
            "context": say("model.context_used", **used),
            "threads": number(loaded.threads),
            "backend": say(backend) if has(backend) else loaded.backend,
            "memory": size(loaded.memory_bytes),
            "loaded_in": seconds(loaded.seconds),
            "sha256": card.get("sha256"),
        }
        return [{"kind": "rows", "rows": [_row(name, value) for name, value in rows.items()]}]


def _row(name: str, value: str | None) -> list[str]:
    look = "code" if name == "sha256" and value else ""
    return [say(f"model.{name}"), value or say("model.unknown"), look]


def _parameters(count: int | None) -> str | None:
    if not count:
        return None
    if count < BILLION:
        return say("model.parameters.millions", millions=count / MILLION)
    return say("model.parameters.billions", billions=count / BILLION)
