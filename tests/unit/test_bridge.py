"""The bridge's stand-in keeps the promises that the floors above rely on."""

import asyncio

import pytest

from onglet.browser.bridge import ServiceFailed, StandIn, plain


def test_calls_are_answered_by_name():
    bridge = StandIn(recall=lambda name: {"language": "fr"}[name])
    assert asyncio.run(bridge.call("recall", name="language")) == "fr"


def test_an_unknown_service_fails():
    with pytest.raises(ServiceFailed, match="no service is named fly"):
        asyncio.run(StandIn().call("fly"))


def test_events_reach_those_who_asked_for_them():
    bridge, heard = StandIn(), []
    bridge.on_event("online", heard.append)
    bridge.event("online", False)
    bridge.event("shortcut", "stop")
    assert heard == [False]


def test_engine_messages_are_plain_data():
    bridge, heard = StandIn(), []
    bridge.on_engine_message(heard.append)
    bridge.send_to_engine({"kind": "cancel", "id": 2, "target": 1})
    bridge.engine_says({"kind": "done", "id": 1})
    assert bridge.sent == [{"kind": "cancel", "id": 2, "target": 1}]
    assert heard == [{"kind": "done", "id": 1}]
    with pytest.raises(TypeError):
        bridge.send_to_engine({"kind": "load", "id": 3, "source": object()})


def test_plain_turns_memory_into_bytes_and_drops_what_is_no_data():
    value = {"bytes": memoryview(b"GGUF"), "list": [1, None, {"x": object()}]}
    assert plain(value) == {"bytes": b"GGUF", "list": [1, None, {"x": None}]}
