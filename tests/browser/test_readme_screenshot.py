"""Takes the README's picture from the running app: when it is missing, or when ONGLET_SCREENSHOT=1
asks for a new one (a new picture each run would leave every tree changed)."""

import os

from onglet_build.places import ROOT

PICTURE = ROOT / "docs" / "screenshot.png"
LOOK = {
    "viewport": {"width": 1280, "height": 800},
    "color_scheme": "light",
    "device_scale_factor": 1,
}


def test_readme_screenshot(open_app, server):
    if PICTURE.exists() and os.environ.get("ONGLET_SCREENSHOT") != "1":
        return
    app = open_app(server, **LOOK).wait_live().wait_model()
    app.ask("What is the capital of France?")
    app.ask("Write a Python function that checks whether a word is a palindrome.")
    app.page.wait_for_timeout(300)
    app.page.screenshot(path=PICTURE)
    assert PICTURE.stat().st_size > 10_000
