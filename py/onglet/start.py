"""The door through which the build and the app worker start the app: `prepare` builds it (at build
time, before the snapshot), `wake` makes it live in the tab.

Knows neither pages nor messages; it only puts them in order.
"""

import importlib
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from .browser import bridge, document

if TYPE_CHECKING:
    from bokeh.document import Document

    from .app import App

app: "App"
shown: "Document"


def prepare() -> None:
    """Builds the app in English. Runs at build time, or in the worker when there is no snapshot."""
    global app, shown
    with document.same_names_each_time():
        document.prepare()
        from .app import build

        shown = document.new_document()
        app = build()
        document.add_root(shown, app.page)


def use_language(code: str) -> None:
    app.set_language(code)


def use_theme(dark: bool) -> None:
    app.page.dark_theme = dark


def as_json() -> str:
    """The document as the page embeds it."""
    return document.as_json(shown)


def wake(send: Callable[[str], None]) -> None:
    """Makes the app live: `send` carries each patch to the page from now on."""
    random.seed()
    document.link(shown, send)
    connected = bridge.connect()
    document.run_in_background(lambda: app.start(connected))


def apply(patch: str) -> None:
    """Applies changes made on the page."""
    document.apply(shown, patch)


def see_unpacked_modules() -> None:
    """Lets Python find modules whose files came after the snapshot was restored."""
    importlib.invalidate_caches()
