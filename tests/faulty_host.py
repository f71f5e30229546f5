"""A host on this machine with everything that goes wrong between a browser and a file.

An address is `/<fault>/<file>`; the faults are the methods of `Faulty` and `none`. Each answer lets
any page read it. Knows nothing of models.
"""

import http.server
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from onglet_build.loopback import QuietServer

MIB = 1 << 20
SLOW = 0.02  # seconds before each MiB
READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Range, X-Linked-ETag",
}


@dataclass
class FaultyHost:
    """Serves `files` (name -> bytes). `asked` holds (path, first byte, the one behind the last) of
    each request, `sent` counts the bytes of all bodies; `elsewhere` is where `leads` leads."""

    files: dict[str, bytes]
    elsewhere: str = ""
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Handler", (Faulty,), {"host": self})
        self._server = QuietServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, fault: str, file: str) -> str:
        return f"http://{self.name}/{fault}/{file}"


class Faulty(http.server.BaseHTTPRequestHandler):
    host: FaultyHost
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.fault, _, file = self.path.strip("/").partition("/")
        self.file = Path(file).name
        self.data = self.host.files.get(self.file, b"")
        asked = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        self.ranged = bool(asked[1])
        self.first = int(asked[0] or 0)
        self.end = min(int(asked[2]) + 1 if asked[2] else len(self.data), len(self.data))
        with self.host.lock:
            self.before = sum(path == self.path for path, _, _ in self.host.asked)
            self.host.asked.append((self.path, self.first, self.end))
        getattr(self, self.fault)()

    def none(self) -> None:
        self.part()

    def part(self, body: bytes | None = None, **headers: str) -> None:
        """The bytes that were asked for."""
        total = f"bytes {self.first}-{self.end - 1}/{len(self.data)}"
        told = {"Content-Range": total, "ETag": '"one"'} if self.ranged else {"ETag": '"one"'}
        body = self.data[self.first : self.end] if body is None else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer(206 if self.ranged else 200, body, told | named)

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A status, headers, and a body that a browser may stop reading anywhere."""
        length = {"Content-Length": str(len(body))} if 200 <= status < 300 else {}
        kind = {"Content-Type": "application/octet-stream"}
        self.send_response(status)
        for name, value in (READABLE | kind | length | (headers or {})).items():
            self.send_header(name, value)
        if not length:
            self.send_header("Content-Length", "0")
        self.end_headers()
        for start in range(0, len(body), MIB):
            if self.fault == "slow":
                self.host.ended.wait(SLOW)
            self.wfile.write(body[start : start + MIB])
            with self.host.lock:
                self.host.sent += len(body[start : start + MIB])

    def slow(self) -> None:
        """50 MB a second and request."""
        self.part()

    def leads(self) -> None:
        place = f"{self.host.elsewhere}/none/{self.file}"
        self.answer(302, headers={"Location": place})

    def shrank(self) -> None:
        """The file is gone shorter: what is asked for lies behind its end."""
        self.answer(416, headers={"Content-Range": "bytes */5"})

    def changes(self) -> None:
        """The first answer breaks off, and then another file lies there."""
        if self.before == 0:
            self.cut(self.data[self.first : self.end], 5 * MIB, 206)
        else:
            self.part(ETag='"two"')

    def weakens(self) -> None:
        """The same file, whose mark is called weak now and then, as hosts that compress do."""
        self.part(ETag='"one"' if self.before % 2 else 'W/"one"')

    def grows(self) -> None:
        total = f"bytes {self.first}-{self.end - 1}/{len(self.data) + 1}"
        self.part(Content_Range=total)

    def whole(self) -> None:
        """Knows no ranges."""
        self.answer(200, self.data, {"ETag": '"one"'})

    def whole_breaks(self) -> None:
        """Knows no ranges, and breaks off the first two times."""
        self.cut(self.data, 5 * MIB if self.before < 4 else len(self.data), 200)

    def breaks(self) -> None:
        """Each answer breaks off after one piece and a bit."""
        self.cut(self.data[self.first : self.end], 5 * MIB, 206)

    def cut(self, body: bytes, at: int, status: int) -> None:
        total = f"bytes {self.first}-{self.end - 1}/{len(self.data)}"
        told = {"Content-Range": total} if status == 206 else {}
        told |= {"Content-Length": str(len(body)), "ETag": '"one"'}
        self.answer(status, body[:at], told)
        self.close_connection = True

    def stalls(self) -> None:
        """Gives one piece and a bit, later only a bit, and then says nothing for ever."""
        self.cut(self.data[self.first : self.end], (1 if self.before else 5) * MIB, 206)
        self.wfile.flush()
        self.host.ended.wait()

    def silent(self) -> None:
        """Takes the request and says nothing at all."""
        self.host.ended.wait()

    def busy(self) -> None:
        self.answer(503)

    def busy_twice(self) -> None:
        if self.before < 2:
            self.answer(503)
        else:
            self.part()

    def signed_in(self) -> None:
        self.answer(401)

    def early(self) -> None:
        """Ends before the end, and says that this was all."""
        self.part(self.data[self.first : self.end - 7])

    def late(self) -> None:
        """Sends more than was asked for."""
        self.part(self.data[self.first : self.end] + b"more")

    def elsewhere(self) -> None:
        """Sends another part than the one asked for."""
        self.part(Content_Range=f"bytes {self.first + 1}-{self.end}/{len(self.data)}")

    def in_parts(self) -> None:
        self.part(Content_Type="multipart/byteranges; boundary=x")

    def page(self) -> None:
        self.part(Content_Type="text/html; charset=utf-8")

    def wrong_byte(self) -> None:
        body = bytearray(self.data[self.first : self.end])
        body[len(body) // 2] ^= 1
        self.part(bytes(body))

    def log_message(self, *_) -> None:
        """What was asked is the list in FaultyHost."""
