"""The Bokeh document of the tab: made in the worker, drawn by the page, kept equal by patches.

Takes the place of panel.io.pyodide. Patches travel as JSON texts, buffers inside them as base64,
so no JavaScript object lives in Python and the interpreter can be snapshotted with the document in
it. Knows Bokeh and Panel's session state; knows nothing about what the document shows.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING

from . import placeholders

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.document.events import DocumentChangedEvent
    from bokeh.server.callbacks import SessionCallback
    from panel_material_ui import Page

SETTER = "page"
ENVIRONMENT = {
    "BOKEH_RESOURCES": "cdn",
    "BOKEH_SIMPLE_IDS": "yes",
    "BOKEH_VALIDATION_LEVEL": "none",
    "PANEL_CDN_ROOT": "./static/panel/",
    "PANEL_NPM_CDN": "./static/npm",
    "PANEL_MATERIAL_UI_CDN_ROOT": "./static/pmui/v",
}
running: set[asyncio.Task] = set()


def prepare() -> None:
    """Makes `import panel` work in this interpreter, with every URL inside the site."""
    os.environ.update(ENVIRONMENT)
    placeholders.install()
    import panel.io.resources
    import param
    from panel.custom import ReactComponent

    panel.io.resources.RESOURCE_MODE = "cdn"
    # The bundle brings React along; the map would only name the hosts it comes from elsewhere.
    ReactComponent._process_importmap = classmethod(lambda component: {})
    param.parameterized.async_executor = run_in_background


@contextlib.contextmanager
def same_names_each_time() -> Iterator[None]:
    """Counts where uuid4 would draw: Panel names classes by it, and the same app shall give the
    same document in every build and in every tab."""
    numbers = itertools.count(1)
    random_uuid, uuid.uuid4 = uuid.uuid4, lambda: uuid.UUID(int=next(numbers))
    try:
        yield
    finally:
        uuid.uuid4 = random_uuid


def run_in_background(function: Callable[[], Coroutine]) -> None:
    """Runs what a callback of Panel returned as a coroutine function."""
    task = asyncio.get_running_loop().create_task(function())
    running.add(task)
    task.add_done_callback(running.discard)


def new_document() -> "Document":
    """Makes the one document of this tab and tells Panel that it is the current one."""
    from bokeh.document import Document
    from bokeh.io.doc import set_curdoc
    from panel.io.state import state

    document = Document()
    set_curdoc(document)
    state.curdoc = document
    document.on_change(run_session_callback)
    return document


def add_root(document: "Document", view: "Page") -> None:
    """Renders a Panel page as a root of the document.

    Its sign of being busy is switched off: it would send two messages beside each other one.
    """
    from panel.io.model import add_to_doc
    from panel.util import edit_readonly

    with edit_readonly(view):
        view.busy = False
    root = view.get_root(document)
    view._documents[document] = root
    with document.models.freeze():
        add_to_doc(root, document)


def as_json(document: "Document") -> str:
    """The whole document as the page embeds it."""
    roots = [root.id for root in document.roots]
    content = document.to_json(deferred=False)
    return json.dumps({"roots": roots, "document": content}, separators=(",", ":"))


def link(document: "Document", send: Callable[[str], None]) -> None:
    """Sends every further change to the page, but not back those that came from it."""
    from bokeh.events import DocumentReady
    from panel.io.state import state

    document.on_change(functools.partial(send_change, document, send))
    document.on_event("document_ready", functools.partial(state._schedule_on_load, document))
    state._loaded[document] = state._connected[document] = True
    document.callbacks.trigger_event(DocumentReady())


def apply(document: "Document", patch: str) -> None:
    """Applies changes made on the page."""
    document.apply_json_patch(json.loads(patch), setter=SETTER)


def send_change(document: "Document", send: Callable, event: "DocumentChangedEvent") -> None:
    if event.setter != SETTER and is_for_page(event):
        send(json.dumps(patch_of(document, event), separators=(",", ":")))


def is_for_page(event: "DocumentChangedEvent") -> bool:
    """Callbacks that were asked of the document stay here; they cannot be written as JSON."""
    from bokeh.document.events import SessionCallbackAdded, SessionCallbackRemoved

    return not isinstance(event, (SessionCallbackAdded, SessionCallbackRemoved))


def patch_of(document: "Document", event: "DocumentChangedEvent") -> dict:
    from bokeh.core.serialization import Serializer

    serializer = Serializer(references=document.models.synced_references, deferred=False)
    events = serializer.encode([event])
    document.models.flush_synced(lambda model: not serializer.has_ref(model))
    return {"events": events}


def run_session_callback(event: "DocumentChangedEvent") -> None:
    """Schedules what Panel or Bokeh asked of the document; there is no server to do it."""
    from bokeh.document.events import SessionCallbackAdded

    if isinstance(event, SessionCallbackAdded):
        callback = event.callback
        milliseconds = getattr(callback, "timeout", getattr(callback, "period", 0))
        run_later(milliseconds / 1000, event.document, callback)


def run_later(seconds: float, document: "Document", callback: "SessionCallback") -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(seconds, run_scheduled, seconds, document, callback)


def run_scheduled(seconds: float, document: "Document", callback: "SessionCallback") -> None:
    """Runs one scheduled callback, unless it was removed in the meantime."""
    if callback not in document.session_callbacks:
        return
    result = callback.callback()
    if asyncio.iscoroutine(result):
        run_in_background(lambda: result)
    if callback in document.session_callbacks:
        run_later(seconds, document, callback)
