"""Links that are wrong in every way there is: letters, bytes, text, bombs, ciphers of nothing."""

import random
import string
import zlib

from onglet.agents import links
from onglet.agents.config import Agent
from onglet.agents.links import PLAIN, SEALED, link

AGENT = Agent(name="Tutor", purpose="Explains sums", instructions="Ask first.\nBe patient.")
LETTERS = string.ascii_letters + string.digits + "-_"
WHOLE = link(AGENT)
CONTENT = links.squeezed(AGENT.canonical())


def of_bytes(content: bytes) -> str:
    return PLAIN + links.in_letters(content)


def of_text(text: str) -> str:
    return PLAIN + links.packed(text)


def bomb(size: int) -> bytes:
    """So many zeros, squeezed."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    return press.compress(bytes(size)) + press.flush()


BOMB_BYTES = bomb(10**7)


def sealed(chance: random.Random) -> str:
    """An encrypted link with a key, of which no byte is right."""
    closed, key = (chance.randbytes(chance.choice((0, 12, 40, 300))) for _ in range(2))
    head = bytes([chance.choice((0, 1, 1, 1, 4, 255))])
    return f"{SEALED}{links.in_letters(head + closed)}.{links.in_letters(key[:32])}"


def fuzzed(chance: random.Random) -> str:
    """A link with wrong letters, wrong bytes, wrong text, or nothing right."""
    kind = chance.randrange(6)
    if kind == 0:
        letters = list(WHOLE)
        for _ in range(chance.randint(1, 8)):
            letters[chance.randrange(len(letters))] = chance.choice(LETTERS + "/.#%é\0")
        return "".join(letters)
    if kind == 1:
        content = bytearray(CONTENT)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        return of_bytes(bytes(content[: chance.randint(1, len(content))]))
    if kind == 2:
        text = list(AGENT.canonical())
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(text))
            text[place : place + chance.randrange(4)] = chance.choice('{}[]",:0-1eE\\u\u202e ab')
        return of_text("".join(text))
    if kind == 3:
        return sealed(chance)
    if kind == 4:
        return of_bytes(bomb(chance.choice((10**5, 10**6))))
    return PLAIN + "".join(chance.choices(LETTERS, k=chance.randrange(600)))
