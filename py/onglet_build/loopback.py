"""Serves folders on 127.0.0.1 in this process, logs each request, and can be stopped and started
again on the same port. Used by ask, bench and the browser tests; knows nothing about Onglet.

Plain on purpose: GET and HEAD, ranges, no listing of folders; what is posted is kept.
"""

import http.server
import mimetypes
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

CONTENT_TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
PIECE = 1 << 20


@dataclass
class Loopback:
    """A server of `folders` (URL prefix -> folder); use it in a `with` block or start and stop it.

    `log` holds (method, path, status) of each request since the start, `posted` (path, body),
    `sent` counts the bytes of all bodies;
    `delay` seconds are slept between two pieces of 1 MiB of a body whose path has `slow_part`.
    """

    folders: dict[str, Path]
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 0
    slow_part: str = ""
    delay: float = 0.0
    log: list[tuple[str, str, int]] = field(default_factory=list)
    posted: list[tuple[str, bytes]] = field(default_factory=list)
    sent: int = 0
    _server: http.server.ThreadingHTTPServer | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + next(iter(self.folders))

    def start(self) -> "Loopback":
        handler = type("Handler", (FolderHandler,), {"loopback": self})
        self._server = QuietServer(("127.0.0.1", self.port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def find(self, url_path: str) -> Path | None:
        """The file behind a URL path, None where there is none (or it lies outside its folder)."""
        path = unquote(urlsplit(url_path).path)
        for prefix, folder in self.folders.items():
            if path.startswith(prefix):
                file = (folder / (path[len(prefix) :] or "index.html")).resolve()
                if file.is_file() and file.is_relative_to(folder.resolve()):
                    return file
        return None


class QuietServer(http.server.ThreadingHTTPServer):
    """Closes its connections when stopped, so that 'offline' is offline at once."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address) -> None:
        """A browser that went away in the middle of an answer is not worth a traceback."""


class FolderHandler(http.server.BaseHTTPRequestHandler):
    loopback: Loopback
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_POST(self) -> None:
        """Keeps what browsers report (a policy's report-uri) and says nothing."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.loopback.posted.append((self.path, body))
        self._send(204, "text/plain", 0)

    def _answer(self, with_body: bool) -> None:
        file = self.loopback.find(self.path)
        if self.loopback._server is None:
            self.close_connection = True
        elif file is None:
            self._send(404, "text/plain", 0)
        else:
            self._send_file(file, with_body)

    def _send_file(self, file: Path, with_body: bool) -> None:
        start, end = self._range(file.stat().st_size)
        status = 206 if self.headers.get("Range") else 200
        self._send(status, content_type(file), end - start, start, file.stat().st_size)
        if with_body:
            self._send_body(file, start, end)

    def _range(self, size: int) -> tuple[int, int]:
        asked = self.headers.get("Range", "").removeprefix("bytes=")
        first, _, last = asked.partition("-")
        start = int(first) if first.isdigit() else 0
        return min(start, size), min(int(last) + 1 if last.isdigit() else size, size)

    def _send(self, status: int, kind: str, length: int, start: int = 0, size: int = 0) -> None:
        self.loopback.log.append((self.command, self.path, status))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-cache")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        for name, value in self.loopback.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, file: Path, start: int, end: int) -> None:
        slow = self.loopback.slow_part and self.loopback.slow_part in self.path
        with file.open("rb") as stream:
            stream.seek(start)
            while start < end and self.loopback._server is not None:
                piece = stream.read(min(PIECE, end - start))
                self.wfile.write(piece)
                start += len(piece)
                self.loopback.sent += len(piece)
                if slow:
                    threading.Event().wait(self.loopback.delay)

    def log_message(self, *_) -> None:
        """The log is the list in Loopback, not lines on the terminal."""


def content_type(file: Path) -> str:
    known = CONTENT_TYPES.get(file.suffix)
    return known or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
