"""A model that is unloaded gives its memory back, however often: three times here, twenty times in
`build.py check --full`."""

import os
from pathlib import Path

import pytest
from engine_driver import PAGE, Engine

from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

TIMES = 20 if os.environ.get("ONGLET_FULL") else 3
MODEL = 90 << 20  # bytes that the weights take, at least
SETTLES = 40  # looks, a quarter of a second apart, at memory that the system takes back
MORE = 1.10
LINUX = Path("/proc/self/smaps_rollup").exists()
pytestmark = pytest.mark.skipif(not LINUX, reason="only Linux tells what a process has")


@pytest.fixture
def engine(new_context, site):
    with Loopback({"/": PAGE, "/site/": site}, headers=HEADERS) as host:
        engine = Engine.opened(new_context(host).new_page(), host.url, site)
        engine.start()
        yield engine


def renderers(browser) -> dict[int, int]:
    """The bytes that each process of pages has to itself or shares, in proportion."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return {one["id"]: resident(one["id"]) for one in processes if one["type"] == "renderer"}


def resident(process: int) -> int:
    with open(f"/proc/{process}/smaps_rollup") as told:
        line = next(line for line in told if line.startswith("Pss:"))
    return int(line.split()[1]) << 10


def test_loads_leave_nothing(browser, engine):
    before = renderers(browser)
    assert engine.load()["kind"] == "loaded"
    grown = {one: size - before.get(one, 0) for one, size in renderers(browser).items()}
    process = max(grown, key=grown.get)
    engine.answer("Hi", max_tokens=4)
    loaded = resident(process)

    def unload(limit: int) -> int:
        assert engine.ended(engine.ask(kind="unload"))["kind"] == "unloaded"
        for _ in range(SETTLES):
            if (left := resident(process)) <= limit:
                break
            engine.page.wait_for_timeout(250)
        return left

    empty = unload(loaded - MODEL)
    assert empty < loaded - MODEL
    for _ in range(TIMES - 1):
        assert engine.load()["kind"] == "loaded"
        left = unload(int(empty * MORE))
    assert left <= empty * MORE
