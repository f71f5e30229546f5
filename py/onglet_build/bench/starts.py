"""How fast the app starts: first visit (cold) and later ones (warm), in real profiles."""

import tempfile
from pathlib import Path
from statistics import median

from ..browser import launch_persistent_chromium
from ..driver import App
from ..loopback import Loopback
from ..policy import HEADERS
from .contenders import KEYS

QUESTION = "What is the capital of France?"
MOMENTS = ("first_paint", "live", "model_ready", "first_token")
WARM_VISITS = 3

Starts = dict[str, list[dict]]  # cold, warm -> timelines in milliseconds since navigation


def measure_starts(kept: Path, profiles: int) -> Starts:
    """Opens the real site in new profiles: first visit, then again once it is stored."""
    from playwright.sync_api import sync_playwright

    starts = {"cold": [], "warm": []}
    with Loopback({"/": kept}, headers=HEADERS) as server, sync_playwright() as playwright:
        for number in range(profiles):
            print(f"start of the app, profile {number + 1}: cold and warm ...", flush=True)
            with tempfile.TemporaryDirectory() as profile:
                context = launch_persistent_chromium(playwright, Path(profile))
                starts["cold"].append(measure_start(context, server.url, wait_stored=True))
                for _ in range(WARM_VISITS):
                    starts["warm"].append(measure_start(context, server.url))
                context.close()
    return starts


def measure_start(context, url: str, wait_stored: bool = False) -> dict:
    """Opens the app and asks as soon as it is live; milliseconds since navigation."""
    page = context.new_page()
    app = App(page, url).open().wait_live()
    app.ask(QUESTION)
    timeline = app.window()["timeline"]
    if wait_stored:
        app.wait_stored()
    page.close()
    return timeline


def rows(starts: Starts, version: str) -> list[dict]:
    """The two rows of bench.json, in seconds since navigation."""
    return [
        dict.fromkeys(KEYS)
        | {"system": f"onglet start-up {kind}", "version": version}
        | {f"{moment}_seconds": round(seconds(timelines, moment), 3) for moment in MOMENTS}
        for kind, timelines in starts.items()
    ]


def seconds(timelines: list[dict], moment: str) -> float:
    return median(timeline[moment] for timeline in timelines) / 1000
