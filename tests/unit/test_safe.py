"""No text from a model or a file becomes anything but harmless HTML, whole or token by token."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onglet.browser import safe
from onglet_build.places import WEB
from tests.hostile_output import OPEN_ENDED, PIECES, SHORT


class Watcher(HTMLParser):
    """Fails on each tag, attribute or address that is not in the tables of safe.py."""

    def handle_starttag(self, tag, attributes):
        assert tag in safe.TAGS, tag
        for name, value in attributes:
            assert name in safe.ATTRIBUTES.get(tag, ()), (tag, name)
            assert name != "href" or re.match(r"(https?://|mailto:)", value, re.IGNORECASE), value
            assert name != "style" or safe.ALIGNMENT.fullmatch(value), value

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def ascii_of(payload: str) -> str:
    return payload[:30].encode("unicode_escape").decode()


def watch(html: str) -> None:
    watcher = Watcher()
    watcher.feed(html)
    watcher.close()


def growing(text: str):
    """The blocks after each token of a character or a few, as the page would hold them."""
    flow, held = safe.Flow(), []
    step = 1 + len(text) // 200
    for start in range(0, len(text), step):
        flow.add(text[start : start + step])
        update = flow.update()
        held[update.start :] = update.blocks
        yield held
    held[:] = flow.finish().blocks
    yield held


@pytest.mark.parametrize("payload", PIECES, ids=ascii_of)
def test_a_payload_is_harmless(payload):
    html = safe.markdown(payload)
    watch(html)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\x07\x9b]", html)


@pytest.mark.parametrize("payload", [*SHORT, *OPEN_ENDED], ids=ascii_of)
def test_a_payload_is_harmless_token_by_token(payload):
    for blocks in growing(payload):
        for block in blocks:
            watch(block)


@pytest.mark.parametrize("payload", SHORT, ids=ascii_of)
def test_a_payload_inside_others_is_harmless(payload):
    for frame in (
        "> - {}",
        "1. **{}**",
        "| a |\n|---|\n| {} |",
        "[{}](https://ok.example)",
        "~~{}~~",
    ):
        watch(safe.markdown(frame.format(payload)))


@settings(deadline=None)
@given(st.lists(st.sampled_from([*SHORT, "\n", "\n\n", " ", "**", "`", "```", "- ", "> "])))
def test_any_mixture_is_harmless(pieces):
    watch(safe.markdown("".join(pieces)))


def test_an_image_becomes_a_link_with_its_address():
    html = safe.markdown("![a cat](https://evil.example/cat.png)")
    assert "<img" not in html
    assert 'href="https://evil.example/cat.png"' in html
    assert "[a cat]" in html
    assert "(https://evil.example/cat.png)" in html


def test_a_link_shows_its_address_even_if_its_text_looks_like_one():
    html = safe.markdown("[https://bank.example](https://evil.example/)")
    assert "(https://evil.example/)" in html
    assert "(https://evil.example/)" in safe.markdown("[example/](https://evil.example/)")


def test_a_bare_address_is_not_said_twice():
    assert "address" not in safe.markdown("<https://ok.example/a>")
    assert "address" not in safe.markdown("<someone@ok.example>")


def test_there_are_at_least_150_pieces():
    assert len(set(PIECES)) >= 150


def test_a_line_break_stays_one():
    poem = "Roses are red\nviolets are blue\n\nand so on"
    assert safe.blocks(poem)[0].count("<br") == 1
    assert "blue</p>" in safe.blocks(poem)[0]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028", "\u2029"])
def test_every_line_end_is_one_however_the_text_is_cut(end):
    whole = safe.blocks("a\nb\n\nc")
    *_, last = growing(f"a{end}b{end}{end}c")
    assert last == whole


def test_what_is_not_to_be_seen_is_not_there():
    assert safe.markdown("a\u202eb\u200bc\u2066d\ufeffe\U000e0041f") == "<p>abcdef</p>\n"
    assert safe.markdown("\x1b[31mred\x07") == "<p>\ufffd[31mred\ufffd</p>\n"
    joined = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f680"
    assert joined in safe.markdown(joined), "Persian words and joined emoji stay whole"


def test_ordinary_markdown_is_drawn():
    html = safe.markdown("# T\n\n1. *a*\n2. **b**\n\n```python\nx < 1\n```\n\n|a|\n|:-|\n|1|")
    for part in ("<h1>T</h1>", "<ol>", "<em>a</em>", 'data-language="python"', "x &lt; 1", "<td"):
        assert part in html


TEXTS = st.lists(
    st.sampled_from(
        [
            "word ",
            "\n",
            "\n\n",
            "# ",
            "- ",
            "1. ",
            "> ",
            "```\n",
            "    ",
            "**",
            "a | b\n",
            "|-|-|\n",
            "---\n",
            "\r",
            "\x0b",
            "\u2028",
        ]
    ),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(TEXTS)
def test_a_grown_text_ends_as_the_whole_text(text):
    *_, last = [[], *growing(text)]
    assert last == safe.blocks(text)


@settings(deadline=None)
@given(TEXTS)
def test_finished_blocks_are_those_of_the_whole_text(text):
    flow, held = safe.Flow(), []
    for character in text:
        flow.add(character)
        update = flow.update()
        held[update.start :] = update.blocks
    assert held == safe.blocks(text)


def test_both_walls_have_the_same_table():
    table = re.search(
        r"ATTRIBUTES = \{(.*?)\};", (WEB / "components" / "safe.js").read_text(), re.DOTALL
    )
    rows = re.findall(r"(\w+): \[(.*?)\]", table[1])
    found = {tag: set(re.findall(r'"([\w-]+)"', names)) for tag, names in rows}
    assert found == {tag: safe.ATTRIBUTES.get(tag, set()) for tag in safe.TAGS}
