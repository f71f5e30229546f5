"""`build.py serve`: builds the site and serves it on this machine until Ctrl-C.

`--plain` sends none of our headers (as the barest static host does), `--port N` asks for a port,
`--no-build` serves dist/ as it is.
"""

import argparse
import errno
import threading

from . import site
from .loopback import Loopback
from .places import DIST
from .policy import HEADERS

FIRST_PORT = 8000


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="build.py serve", description=__doc__)
    parser.add_argument("--port", type=int, default=FIRST_PORT)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args(arguments)
    if not options.no_build:
        site.build()
    server = first_free(options.port, {} if options.plain else HEADERS)
    print(f"\nOnglet is at {server.url} (Ctrl-C ends it)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nstopped")
    finally:
        server.stop()
    return 0


def first_free(port: int, headers: dict[str, str]) -> Loopback:
    """Returns a running server at `port` or the next free one above it."""
    for candidate in range(port, port + 100):
        try:
            return Loopback({"/": DIST}, headers=headers, port=candidate).start()
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise SystemExit(f"no free port from {port} to {port + 99}")
