"""Runs programs in the sandbox of the built site's page, without the app; and the host that
listens for what escapes."""

import json
import socket
import threading
from pathlib import Path

from onglet.sandbox import programs

PAGE = Path(__file__).parent / "sandbox_page"
# Firefox's driver imports no module: the page does.
START = """void document.head.append(Object.assign(
  document.createElement('script'), { type: 'module', src: '/sandbox_page/box.js' }))"""


class Sandbox:
    """`evaluate(expression)` and `wait_for(expression)` are the browser's."""

    def __init__(self, evaluate, wait_for):
        self.evaluate, self.wait_for, self.count = evaluate, wait_for, 0
        evaluate(START)
        wait_for("globalThis.prepared")

    def begin(self, code: str, seconds: float = 60, **files: str) -> str:
        """Starts a program; returns the expression of its outcome."""
        self.count += 1
        needed = programs.packages(code)
        given = {"code": code, "files": files, "packages": needed, "seconds": seconds}
        self.evaluate(f"void begin({self.count}, {json.dumps(json.dumps(given))})")
        return f"outcomes[{self.count}]"

    def run(self, code: str, seconds: float = 60, **files: str) -> dict:
        """{"value": text} or {"error": {code, values}}, and {"seconds"}."""
        return json.loads(self.wait_for(self.begin(code, seconds, **files)))

    def warm(self) -> None:
        """Waits until a spare sandbox is awake."""
        if not self.evaluate("Boolean(box.spare)"):
            self.run("1")
        self.evaluate("void (globalThis.isWarm = false)")
        self.evaluate("void warm()")
        self.wait_for("globalThis.isWarm")

    def result(self, code: str, **files: str) -> programs.Result:
        return programs.read(self.run(code, **files)["value"])


class Canary:
    """Another host on this machine: whoever connects, or sends a datagram, is on `seen`."""

    def __init__(self):
        self.seen: list[str] = []
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.open = True
        self.threads = [threading.Thread(target=each) for each in (self._accept, self._receive)]

    def __enter__(self) -> "Canary":
        for each in (self.tcp, self.udp):
            each.settimeout(0.1)
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.open = False
        for thread in self.threads:
            thread.join()
        self.tcp.close()
        self.udp.close()

    def _accept(self) -> None:
        while self.open:
            try:
                connection, _ = self.tcp.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(1)
                try:
                    self.seen.append(f"TCP {connection.recv(200)!r}")
                except TimeoutError:
                    self.seen.append("TCP, silent")

    def _receive(self) -> None:
        while self.open:
            try:
                self.seen.append(f"UDP {self.udp.recv(2000)!r}")
            except TimeoutError:
                continue
