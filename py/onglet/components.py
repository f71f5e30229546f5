"""The parts of the page that are our own: drawn by web/components/, told and heard from here.

They replace pmui's chat because an answer may grow by 400 tokens a second: one message to these
costs 0.4 ms of this worker, one `ChatInterface.stream` 6 to 9 ms (docs/decisions.md). Knows what
the parts can show, not what it means.
"""

from collections.abc import Callable
from typing import Any

import param
from panel.custom import JSComponent

MODULE = "onglet:components/index.js"  # mount.js knows where that is


class Component(JSComponent):
    """A part whose class has the name of what the module exports."""

    _esm = "export default {}"  # never sent: the page loads MODULE
    _esm_base = MODULE  # tells pmui's design that the look is our own: no stylesheets from it
    __abstract = True

    def __init__(self, **params: Any):
        super().__init__(**params)
        self._heard: dict[str, Callable[[dict], Any]] = {}

    def _get_properties(self, doc) -> dict[str, Any]:
        properties = super()._get_properties(doc)
        properties.update(bundle="url", esm=MODULE, css_bundle=None, importmap={})
        return properties

    def hear(self, **listeners: Callable[[dict], Any]) -> None:
        """Calls a listener with each message of its kind that the part sends."""
        self._heard.update(listeners)

    def tell(self, kind: str, **fields: Any) -> None:
        """Sends a message to the part."""
        self._send_msg({"kind": kind, **fields})

    def _handle_msg(self, data: dict) -> None:
        listener = self._heard.get(data.get("kind", ""))
        return listener(data) if listener else None


class Bar(Component):
    """The top bar. Sends: `history`, `model`, `silence`, `new`, `language` and `theme` (value)."""

    labels = param.Dict(default={})
    model_chip = param.Dict(default={})
    silence_chip = param.Dict(default={})
    language = param.String(default="en")
    theme = param.String(default="system")


STATUS = {"busy": False, "text": "", "context": "", "editing": False, "documents": None}


class Chat(Component):
    """Turns and composer. Sends: `ready`, `ask` (text), `stop`, `copy` (id), `copy_code` (text),
    `regenerate`, `go_on`, `edit` (id), `cancel_edit`, `branch` (id), `notice` (id, act), `unlock`
    (passphrase), `documents` (to ask them or no longer), `show_source` (id, number), and a
    problem's actions."""

    labels = param.Dict(default={})
    welcome = param.Dict(default={})
    notices = param.List(default=[])
    status = param.Dict(default=STATUS)
    locked = param.Dict(default={"title": ""})


class History(Component):
    """The list of conversations. Sends `close`, `search` (text), `open`, `delete` (id), `rename`
    (id, title), `move` (id, folder), `make_folder` (id, name), `delete_folder` (folder), `undo`
    and `data`."""

    labels = param.Dict(default={})
    groups = param.List(default=[])
    folders = param.List(default=[])
    empty = param.String(default="")
    notice = param.Dict(default={"text": "", "action": ""})


class Sheet(Component):
    """The content of a side sheet: sections, drawn in order, then fields. Sends `close`, its
    buttons' names, its forms' names (with what was typed), `set` (name, value) and `reset`."""

    labels = param.Dict(default={"title": "", "close": ""})
    sections = param.List(default=[])
    controls = param.Dict(default={})


class Rail(Component):
    """Links to the pages: `entries` of `name` (the address's hash), `icon` and `label`."""

    labels = param.Dict(default={"pages": ""})
    entries = param.List(default=[])
    current = param.String(default="")


class Paper(Component):
    """A page that is read: sections, drawn in order (the kinds of `Sheet`). Sends its buttons'
    names; `focus` moves the focus to its heading, `reveal` to the passage that is marked, `show`
    brings a section into sight."""

    labels = param.Dict(default={"title": ""})
    sections = param.List(default=[])
