"""Drives the system's Firefox over its Marionette socket: open, run a script, type.

The protocol is one JSON array a command, `[0, id, name, parameters]`, answered by `[1, id, error,
result]`, each with its length in front. Mozilla's own client brings 15 packages for the same (and
warnings that our test run treats as errors), so these few commands are spoken here.
Knows nothing of Onglet.
"""

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS_TO_START = 60
SECONDS_FOR_SCRIPT = 120
# A proxy that is not there answers for every name but this machine's own addresses.
PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "remote.prefs.recommended": True,
}


class FirefoxError(Exception):
    """What Firefox answered instead of a result."""


class Firefox:
    """One session. `connection` is a connected socket to Marionette."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.stream = connection.makefile("rb")
        self.count = 0
        self.receive()  # its greeting
        timeouts = {"script": SECONDS_FOR_SCRIPT * 1000, "pageLoad": SECONDS_FOR_SCRIPT * 1000}
        self.command(
            "WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"timeouts": timeouts}}}
        )

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.stream.read(1)
            if not byte:
                raise FirefoxError("Firefox closed the connection")
            length += byte
        return json.loads(self.stream.read(int(length[:-1])))

    def command(self, name: str, parameters: dict | None = None):
        """Sends one command and returns its result. Raises FirefoxError."""
        self.count += 1
        body = json.dumps([0, self.count, name, parameters or {}]).encode()
        self.connection.sendall(b"%d:%s" % (len(body), body))
        _, _, error, result = self.receive()
        if error:
            raise FirefoxError(f"{name}: {error['message']}")
        return result.get("value") if isinstance(result, dict) else result

    def open(self, url: str) -> None:
        self.command("WebDriver:Navigate", {"url": url})

    def evaluate(self, expression: str):
        """The value of a JavaScript expression in the page."""
        parameters = {"script": f"return ({expression})", "args": []}
        return self.command("WebDriver:ExecuteScript", parameters)

    def wait_for(self, expression: str, seconds: float):
        """Waits until the expression is true in the page; returns its value."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(
                FirefoxError
            ):  # a page that reloads has no script for a moment
                if value := self.evaluate(expression):
                    return value
            time.sleep(0.1)
        raise FirefoxError(f"not within {seconds} s: {expression}")

    def type_keys(self, text: str) -> None:
        """Types into whatever has the focus; "\ue007" is Enter."""
        strokes = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self.command("WebDriver:PerformActions", {"actions": [keyboard]})


@contextlib.contextmanager
def firefox(executable: str) -> Iterator[Firefox]:
    """A headless Firefox with a new profile for the length of a `with` block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        port = write_profile(Path(folder))
        command = [executable, "--headless", "--marionette", "--no-remote", "--profile", folder]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)
        try:
            with connect(port) as connection:
                session = Firefox(connection)
                yield session
                with session.stream:
                    session.command("Marionette:Quit", {"flags": ["eForceQuit"]})
            process.wait(20)
        finally:
            process.kill()
            process.wait()


def write_profile(folder: Path) -> int:
    """Writes the preferences; returns the port on which Marionette will listen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});"
        for name, value in {**PREFERENCES, "marionette.port": port}.items()
    ]
    (folder / "user.js").write_text("\n".join(lines))
    return port


def connect(port: int) -> socket.socket:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise FirefoxError(f"Firefox did not start within {SECONDS_TO_START} s")
