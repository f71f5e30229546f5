"""onglet.agents.links: a link is read whole or refused, whatever is in it."""

import base64
import os
import random
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents import links
from onglet.agents.config import Agent, cleaned
from onglet.agents.links import MOST_IN, MOST_OUT, PLAIN, link, opened
from onglet.engine.errors import Refused

FUZZED = 10_000 if os.environ.get("ONGLET_FULL") else 500
AGENT = Agent(name="Tutor", purpose="Explains sums", instructions="Ask first.\nBe patient.")
TEXT = some.text(max_size=99).map(cleaned)
AGENTS = some.builds(Agent, name=TEXT.map(lambda text: text[:40].strip() or "x"), instructions=TEXT)
LETTERS = string.ascii_letters + string.digits + "-_"
CODES = ("bad_link", "long_link", "bad_agent", "bad_schema", "not_an_agent", "newer_agent")


@given(AGENTS)
def test_there_and_back(agent):
    assert opened(link(agent)) == agent


def test_a_plain_agent_fits_in_a_message():
    words = "You are a patient tutor for school mathematics. Ask one question at a time, wait. "
    agent = Agent(**{**vars(AGENT), "instructions": (words * 12)[:1000].strip()})
    assert len(link(agent)) < 1000
    mixed = random.Random(1).choices(string.ascii_letters + " ", k=1000)
    agent = Agent(**{**vars(AGENT), "instructions": " ".join("".join(mixed).split())})
    assert len(link(agent)) < 2000


def of_bytes(content: bytes) -> str:
    return PLAIN + links.in_letters(content)


def of_text(text: str) -> str:
    return PLAIN + links.packed(text)


WHOLE = link(AGENT)
CONTENT = links.squeezed(AGENT.canonical())
BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
BOMB_BYTES = BOMB.compress(bytes(10**7)) + BOMB.flush()


@pytest.mark.parametrize(
    "fragment",
    [
        "", "o1/", "o2/" + WHOLE[3:], "o1/!!!", WHOLE + "=", WHOLE + "A", WHOLE[:-1], WHOLE[:40],
        WHOLE.replace("o1/", "o1/ "), WHOLE + "\n",
        of_bytes(CONTENT + b"x"), of_bytes(CONTENT[:-3]),
        of_bytes(zlib.compress(b"{}")), of_bytes(b"\0"), of_bytes(BOMB_BYTES),
        of_text("{}"), of_text("[]"), of_text("null"), of_text("1"), of_text(""), of_text("\ud7ff"),
        of_text("[" * 100_000), of_text('{"a":' * 50_000), of_text("1" * 5000), of_text("NaN"),
        of_text(AGENT.canonical() + " "), of_text(AGENT.canonical().replace(":", ": ", 1)),
        of_text(AGENT.canonical().replace('"format":1', '"format":1,"format":1')),
        of_text(AGENT.canonical().replace('"format":1', '"format":1.0')),
        of_text(AGENT.canonical().replace('"format":1', '"format":2')),
        PLAIN + "A" * MOST_IN, PLAIN + "\ud800", of_bytes(b"\xff\xfe"),
        PLAIN + base64.urlsafe_b64encode(b"\xc3").decode().rstrip("="),
    ],
)  # fmt: skip
def test_refused(fragment):
    with pytest.raises(Refused) as refused:
        opened(fragment)
    assert refused.value.code in CODES


def test_a_bomb_is_stopped_at_its_limit():
    assert len(BOMB_BYTES) < MOST_IN
    with pytest.raises(Refused, match="long_link"):
        opened(of_bytes(BOMB_BYTES))
    assert MOST_OUT == 256 << 10 and MOST_IN == 32 << 10


def fuzzed(chance: random.Random) -> str:
    """A link with wrong letters, wrong bytes, wrong text, or nothing right."""
    kind = chance.randrange(4)
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
    return PLAIN + "".join(chance.choices(LETTERS, k=chance.randrange(600)))


def test_fuzzed_links_are_refused_or_agents():
    chance, agents = random.Random(7), 0
    for _ in range(FUZZED):
        try:
            agent = opened(fuzzed(chance))
        except Refused as refused:
            assert refused.code in CODES
        else:
            agents += 1
            assert opened(link(agent)) == agent
    assert agents < FUZZED / 3
