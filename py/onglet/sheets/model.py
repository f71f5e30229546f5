"""What runs: the model's card and its loading, another model from a file, and how it answers."""

from dataclasses import fields
from typing import Any

from panel_material_ui import Button, Column, FloatSlider, IntInput, IntSlider, TextAreaInput

from onglet.agents.loop import Settings
from onglet.sheets.side import SideSheet, buttons, text
from onglet.words import explain, has, number, say, seconds, size

MILLION, BILLION = 10**6, 10**9
HINTED = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")


class ModelSheet(SideSheet):
    title = "model.title"

    def __init__(self, app: Any):
        self.session = app.session
        self.controls = Controls(self.session.settings)
        super().__init__(self.controls.view)
        self.sheet.hear(
            cancel=lambda _: self.session.cancel_load(),
            load=lambda _: self.session.load(),
            site=lambda _: self.session.load_site_model(),
            open=lambda _: app.run(self.session.open_file()),
        )
        for name in ("model", "turn"):
            self.session.on(name, lambda _: self.draw())
        app.on_language(self.relabel)
        self.relabel()

    def relabel(self) -> None:
        super().relabel()
        self.controls.relabel()

    def draw(self) -> None:
        session = self.session
        sections = []
        if session.problem:
            sections.append(
                {
                    "kind": "text",
                    "look": "problem",
                    "text": explain(session.problem.code, session.problem.values),
                }
            )
        if session.loading:
            sections += self._story()
        elif session.loaded:
            sections += self._card()
        elif session.engine:
            sections += [buttons(load="model.load", open="model.open"), self._hint()]
        if session.loaded and not session.loading:
            site = {} if session.is_site_model else {"site": "model.site"}
            sections += [buttons(open="model.open", **site), self._hint()]
        sections.append({"kind": "title", "text": say("sampling.title")})
        if sections != self.sheet.sections:
            self.sheet.sections = sections

    def _hint(self) -> dict:
        return text("model.open_hint", "muted")

    def _story(self) -> list[dict]:
        """How far the load has come: MB of MB, MB/s, seconds left."""
        loading = self.session.loading
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
        loaded, card = self.session.loaded, self.session.loaded.card
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


class Controls:
    """Sliders and fields for the settings; each name is a field of Settings."""

    def __init__(self, settings: Settings):
        self.settings = settings
        common = {"sizing_mode": "stretch_width", "margin": (4, 20)}
        self.widgets = {
            "temperature": FloatSlider(start=0, end=2, step=0.05, **common),
            "top_k": IntSlider(start=0, end=200, step=1, **common),
            "top_p": FloatSlider(start=0.05, end=1, step=0.05, **common),
            "min_p": FloatSlider(start=0, end=0.5, step=0.01, **common),
            "repeat_penalty": FloatSlider(start=1, end=1.5, step=0.01, **common),
            "max_tokens": IntInput(start=16, end=8192, step=16, size="small", **common),
            "seed": IntInput(start=0, end=2**31 - 1, size="small", **common),
            "instructions": TextAreaInput(rows=3, auto_grow=True, max_rows=8, **common),
        }
        self.reset = Button(variant="outlined", margin=(8, 20, 24, 20), on_click=self._reset)
        self.view = Column(*self.widgets.values(), self.reset, sizing_mode="stretch_width")
        self._show()
        for name, widget in self.widgets.items():
            widget.param.watch(lambda event, name=name: self._set(name, event.new), "value")

    def relabel(self) -> None:
        for name, widget in self.widgets.items():
            widget.label = say(f"sampling.{name}")
            if name in HINTED:
                widget.description = say(f"sampling.{name}.hint")
        self.reset.label = say("sampling.reset")

    def _set(self, name: str, value: Any) -> None:
        if value is not None:
            setattr(self.settings, name, value)

    def _show(self) -> None:
        for name, widget in self.widgets.items():
            widget.value = getattr(self.settings, name)

    def _reset(self, _: Any) -> None:
        fresh = Settings()
        for each in fields(Settings):
            setattr(self.settings, each.name, getattr(fresh, each.name))
        self._show()
