"""The frame that all sheets share: from the right on wide screens, from below on phones."""

from typing import Any

from panel_material_ui import Drawer

from onglet.components import Sheet
from onglet.words import say

WIDTH = 420
LOOK = {
    "backgroundColor": "var(--raised)",
    "backgroundImage": "none",
    "color": "var(--ink)",
    "boxShadow": "var(--shadow)",
    "maxWidth": "100vw",
    "@media (max-width: 600px)": {
        "width": "100vw !important",
        "top": "auto !important",
        "bottom": 0,
        "height": "auto",
        "maxHeight": "88dvh",
        "borderRadius": "16px 16px 0 0",
    },
}


class SideSheet:
    """A drawer with one sheet in it; `self.sheet.sections` is what a subclass fills."""

    title = ""  # a key of the words

    def __init__(self):
        self.sheet = Sheet(sizing_mode="stretch_width", margin=0)
        self.sheet.hear(close=lambda _: self.close())
        self.drawer = Drawer(self.sheet, anchor="right", size=WIDTH, sx=LOOK, margin=0)

    def relabel(self) -> None:
        self.sheet.labels = {"title": say(self.title), "close": say("model.close")}
        self.draw()

    def draw(self) -> None:
        """Fills the sections anew."""
        raise NotImplementedError

    def open(self) -> None:
        self.drawer.open = True

    def close(self) -> bool:
        """Says whether it was open."""
        was_open, self.drawer.open = self.drawer.open, False
        return was_open


def text(key: str, look: str = "", **values: Any) -> dict:
    return {"kind": "text", "text": say(key, **values), "look": look}


def title(key: str, **values: Any) -> dict:
    return {"kind": "title", "text": say(key, **values)}


def plain(**keys: str) -> dict:
    """Buttons by name, none of them the main one."""
    listed = [{"name": name, "label": say(key), "main": False} for name, key in keys.items()]
    return {"kind": "buttons", "buttons": listed}


def buttons(**keys: str) -> dict:
    """Buttons by name; the first one is the main one."""
    section = plain(**keys)
    section["buttons"][0]["main"] = True
    return section


def form(name: str, *fields: str, button: str, hint: str = "") -> dict:
    """A form of that name. A field whose name holds `passphrase` hides what is typed."""
    listed = [
        {
            "name": field,
            "label": say(f"data.field.{field}"),
            "type": "password" if "passphrase" in field else "text",
            "autocomplete": "new-password" if field.startswith("new") else "off",
        }
        for field in fields
    ]
    hint = say(hint) if hint else ""
    return {"kind": "form", "name": name, "button": say(button), "hint": hint, "fields": listed}
