"""onglet.agents.links: a link is read whole or refused, whatever is in it."""

import base64
import os
import random
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents import gallery, links
from onglet.agents.config import Agent, cleaned
from onglet.agents.links import MOST_IN, MOST_OUT, PLAIN, link, opened
from onglet.engine.errors import Refused
from tests.hostile_links import AGENT, BOMB_BYTES, CONTENT, WHOLE, fuzzed, of_bytes, of_text

FUZZED = 10_000 if os.environ.get("ONGLET_FULL") else 500
TEXT = some.text(max_size=99).map(cleaned)
AGENTS = some.builds(Agent, name=TEXT.map(lambda text: text[:40].strip() or "x"), instructions=TEXT)
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


def test_fuzzed_links_are_refused_or_agents():
    chance, agents = random.Random(7), 0
    for _ in range(FUZZED):
        fragment = fuzzed(chance)
        try:
            if links.closed(fragment):
                continue  # the browser says what is wrong with it
            agent = opened(fragment)
        except Refused as refused:
            assert refused.code in CODES
        else:
            agents += 1
            assert opened(link(agent)) == agent
    assert agents < FUZZED / 3


def test_every_agent_of_the_gallery_passes_the_door_that_links_come_through():
    for language in gallery.NAMES:
        for agent in gallery.agents(language):
            assert opened(link(agent)) == agent
