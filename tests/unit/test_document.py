"""What goes from Python's document to the page, and what runs here instead. Bokeh itself only runs
in the tab; stand-ins play the few of its classes that document.py asks for."""

import asyncio
import sys
import uuid
from types import ModuleType, SimpleNamespace

import pytest

from onglet.browser import document


class Event:
    setter = None


class SessionCallbackAdded(Event):
    def __init__(self, shown, callback):
        self.document, self.callback = shown, callback


class SessionCallbackRemoved(Event):
    pass


@pytest.fixture(autouse=True)
def bokeh_events(monkeypatch):
    events = ModuleType("bokeh.document.events")
    events.SessionCallbackAdded = SessionCallbackAdded
    events.SessionCallbackRemoved = SessionCallbackRemoved
    for name in ("bokeh", "bokeh.document"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "bokeh.document.events", events)
    monkeypatch.setattr(document, "patch_of", lambda _, event: {"events": [event.name]})


def sent_for(event: Event) -> list[str]:
    sent = []
    event.name = "change"
    document.send_change(None, sent.append, event)
    return sent


def test_a_change_of_python_goes_to_the_page():
    assert sent_for(Event()) == ['{"events":["change"]}']


def test_a_change_of_the_page_does_not_come_back():
    event = Event()
    event.setter = document.SETTER
    assert sent_for(event) == []


def test_callbacks_of_the_document_stay_here():
    assert sent_for(SessionCallbackAdded(None, None)) == []
    assert sent_for(SessionCallbackRemoved()) == []


def run_for(milliseconds: int, callback, shown) -> None:
    async def schedule():
        document.run_session_callback(SessionCallbackAdded(shown, callback))
        await asyncio.sleep(milliseconds / 1000)

    asyncio.run(schedule())


def test_a_callback_asked_for_once_runs_once():
    ran = []
    shown = SimpleNamespace(session_callbacks=[])

    def once():
        shown.session_callbacks.clear()
        ran.append("once")

    shown.session_callbacks.append(callback := SimpleNamespace(callback=once, timeout=1))
    run_for(50, callback, shown)
    assert ran == ["once"]


def test_a_periodic_callback_runs_until_it_is_removed():
    ran = []
    shown = SimpleNamespace(session_callbacks=[])

    def again():
        ran.append("again")
        if len(ran) == 3:
            shown.session_callbacks.clear()

    shown.session_callbacks.append(callback := SimpleNamespace(callback=again, period=1))
    run_for(200, callback, shown)
    assert ran == ["again"] * 3


def test_a_removed_callback_does_not_run():
    ran = []
    callback = SimpleNamespace(callback=lambda: ran.append("ran"), timeout=1)
    run_for(20, callback, SimpleNamespace(session_callbacks=[]))
    assert ran == []


def test_names_are_the_same_each_time_and_random_again_afterwards():
    def names() -> list[str]:
        with document.same_names_each_time():
            return [uuid.uuid4().hex for _ in range(3)]

    assert names() == names()
    assert len(set(names())) == 3
    assert uuid.uuid4() != uuid.uuid4()
