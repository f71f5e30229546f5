"""An agent, a flow of several or a page as a link, and back: `o1/` and base64url of the deflated
canonical form; `o1e/` and the same encrypted, with its key behind a dot unless a passphrase opens
it. Nothing here encrypts, loads or runs what a link says; `proposed` leads to the doors behind it.
"""

import base64
import binascii
import json
import re
import zlib
from dataclasses import dataclass

from onglet.agents import artifact, config, flow
from onglet.agents.artifact import Page
from onglet.agents.config import Agent
from onglet.agents.flow import Flow
from onglet.engine.errors import Refused

PLAIN, SEALED = "o1/", "o1e/"
MOST_IN = 32 << 10  # characters of a link
MOST_OUT = 256 << 10  # bytes that it may unpack to
DEEPEST = 12
DOORS = {each.KIND: each.checked for each in (config, flow, artifact)}
BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')


Thing = Agent | Flow | Page


def link(thing: Thing) -> str:
    """The fragment (without #) that stands for it."""
    return PLAIN + packed(thing.canonical())


@dataclass(frozen=True)
class Closed:
    """An encrypted link; without `key` a passphrase opens it. Base64url both."""

    letters: str
    key: str | None

    def fragment(self) -> str:
        return SEALED + self.letters + (f".{self.key}" if self.key else "")


def closed(fragment: str) -> Closed | None:
    """The parts of an encrypted link, None if it is another one. Raises Refused: bad_link,
    long_link."""
    if not fragment.startswith(SEALED):
        return None
    if len(fragment) > MOST_IN:
        raise Refused("long_link", most=MOST_IN)
    letters, dot, key = fragment.removeprefix(SEALED).partition(".")
    for each in (letters, *([key] if dot else [])):
        from_letters(each)
    return Closed(letters, key if dot else None)


def packed(text: str) -> str:
    """Text as deflated base64url without padding."""
    return in_letters(squeezed(text))


def squeezed(text: str) -> bytes:
    press = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return press.compress(text.encode()) + press.flush()


def in_letters(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def opened(fragment: str) -> Thing:
    """What is in a plain link. Raises Refused: bad_link, long_link, or what `proposed` says."""
    if len(fragment) > MOST_IN:
        raise Refused("long_link", most=MOST_IN)
    if not fragment.startswith(PLAIN):
        raise Refused("bad_link")
    return from_text(unpacked(fragment.removeprefix(PLAIN)))


def unpacked(letters: str) -> str:
    return unsqueezed(from_letters(letters))


def from_letters(letters: str) -> bytes:
    """The bytes of base64url in its one spelling. Raises Refused."""
    if not BASE64URL.fullmatch(letters):
        raise Refused("bad_link")
    try:
        content = base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    except (binascii.Error, ValueError) as error:
        raise Refused("bad_link") from error
    if in_letters(content) != letters:
        raise Refused("bad_link")
    return content


def unsqueezed(content: bytes) -> str:
    """The text of a whole stream, at most MOST_OUT bytes. Raises Refused."""
    stream = zlib.decompressobj(-15)
    try:
        data = stream.decompress(content, MOST_OUT + 1)
        if len(data) > MOST_OUT:
            raise Refused("long_link", most=MOST_IN)
        if not stream.eof or stream.unused_data or stream.unconsumed_tail:
            raise Refused("bad_link")
        return data.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise Refused("bad_link") from error


def from_text(text: str) -> Thing:
    """What a canonical text holds, as links and `.onglet` files have it. Raises Refused."""
    thing = proposed(parsed(text))
    if thing.canonical() != text:
        raise Refused("bad_link")
    return thing


def proposed(document: dict) -> Thing:
    """What a document describes, through its door. Raises Refused."""
    kind = document.get("onglet") if isinstance(document, dict) else None
    door = DOORS.get(kind) if isinstance(kind, str) else None
    return (door or config.checked)(document)


def agent_from_text(text: str) -> Agent:
    """The same where only an agent is wanted. Raises Refused."""
    thing = from_text(text)
    if not isinstance(thing, Agent):
        raise Refused("not_an_agent")
    return thing


def parsed(text: str) -> dict:
    """JSON, each key once, numbers finite, not deep. Raises Refused."""
    if len(text) > MOST_OUT or depth(text) > DEEPEST:
        raise Refused("bad_link")
    try:
        return json.loads(text, object_pairs_hook=each_once, parse_constant=none_such)
    except (ValueError, RecursionError) as error:
        raise Refused("bad_link") from error


def depth(text: str) -> int:
    """How deep brackets are nested, text in quotes aside. A deep one ends Python in a browser."""
    now = most = 0
    for mark in MARKS.finditer(text):
        first = mark[0][0]
        if first in "[{":
            now += 1
            most = max(most, now)
        elif first in "]}":
            now -= 1
    return most


def each_once(pairs: list[tuple]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def none_such(name: str) -> None:
    raise ValueError(name)
