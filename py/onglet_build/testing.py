"""`build.py test`: does its own set-up (site, browsers, what only tests need), then runs pytest.

Arguments go to pytest, so `build.py test tests/unit -k header` works; without any it runs all of
tests/. Knows no test.
"""

import os
import shutil
import subprocess
import sys

from . import site, vendor
from .browser import BrowserMissing, chromium_executable, firefox_executable
from .places import ROOT
from .steps import timed


def main(arguments: list[str]) -> int:
    site.build()
    with timed("test tools"):
        vendor.fetch(vendor.packages("test"))
        find_browsers()
    command = [sys.executable, "-m", "pytest", "-q", *(arguments or ["tests"])]
    # Two threads of NumPy that wait for each other in a loop take minutes on a busy machine.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, check=False, env=environment).returncode


def find_browsers() -> None:
    """Installs what is missing where that can be done without asking. Raises BrowserMissing."""
    if not has_chromium():
        if not install_by_apt("chromium"):
            subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
        if not has_chromium():
            raise BrowserMissing("No Chromium was found and none could be installed.")
    if not firefox_executable():
        install_by_apt("firefox-esr")


def has_chromium() -> bool:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            return bool(chromium_executable(playwright))
        except BrowserMissing:
            return False


def install_by_apt(package: str) -> bool:
    """Installs a Debian package; False where that is not possible (other system, no rights)."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return False
    quiet = {
        "stdout": subprocess.DEVNULL,
        "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    }
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    return subprocess.run(install, check=False, **quiet).returncode == 0
