"""The one door through which text from models and files reaches the screen.

Markdown in, HTML of a fixed set of tags and attributes out: no raw HTML, no image (it becomes a
link), links to http, https and mailto only, each with its full address written beside it (and
shown again before it opens: web/page/links.js). What is not in the tables below is shown as text.
Characters that act on a terminal or turn the order of others around do not come through. A single
line break stays one: poems and addresses are written with them. `web/components/safe.js` checks
the same tables again in the browser. Knows nothing of chats or models.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LINK = re.compile(r"(https?://|mailto:)[^\s]", re.IGNORECASE)
TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li",
    "strong", "em", "s", "a", "code", "pre", "span",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "target", "rel"},
    "ol": {"start"},
    "pre": {"data-language"},
    "span": {"class"},
    "th": {"style"},
    "td": {"style"},
}
ALIGNMENT = re.compile(r"text-align:(left|right|center)")
# Overrides and isolates of the writing direction, invisible characters but the two joiners, tags.
INVISIBLE = re.compile("[\u200b\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
LINE = re.compile("[^\n]*\n|[^\n]+")
WORD = re.compile(r"[\w+#.-]{1,30}")


def is_safe_link(address: str) -> bool:
    return bool(LINK.match(address.strip()))


def clean(text: str) -> str:
    """The text without what is not to be seen: \\n ends lines, control characters become \ufffd."""
    return CONTROL.sub("\ufffd", INVISIBLE.sub("", LINE_ENDS.sub("\n", text)))


def markdown(text: str) -> str:
    """The whole text as safe HTML."""
    return "".join(blocks(text))


def blocks(text: str, references: dict | None = None) -> list[str]:
    """Safe HTML of each top-level block. `references` remembers link definitions between calls."""
    known = {} if references is None else references
    return [html for _, html in _parsed_blocks(clean(text), known)]


@dataclass
class Update:
    """The blocks from number `start` on, as they are now."""

    start: int
    blocks: list[str]


@dataclass
class Flow:
    """Renders a growing text, parsing only its last block again."""

    text: str = ""
    _half: str = ""  # a carriage return that may be half of a line end
    _open: str = ""  # the tail of the text from the first line of the last block
    _finished: list[str] = field(default_factory=list)
    _references: dict = field(default_factory=dict)

    def add(self, text: str) -> None:
        self.text += text
        text = self._half + text
        self._half = "\r" if text.endswith("\r") else ""
        self._open += clean(text.removesuffix("\r"))

    def update(self) -> Update:
        """The blocks that may differ from those of the update before."""
        start = len(self._finished)
        parsed = _parsed_blocks(self._open, self._references)
        lines = LINE.findall(self._open)
        # A block whose first line is not whole may yet turn out to be part of the one before.
        whole = parsed and lines[parsed[-1][0]].endswith("\n")
        certain = len(parsed) - (1 if whole else 2)
        if certain > 0:
            self._finished += [html for _, html in parsed[:certain]]
            self._open = "".join(lines[parsed[certain][0] :])
        return Update(start, [html for _, html in parsed])

    def finish(self) -> Update:
        """All blocks, parsed in one piece (a link may be defined after its use)."""
        return Update(0, blocks(self.text))


class _SafeRenderer(RendererHTML):
    """Writes tokens whose tag and attributes are in the tables; all others as plain text."""

    def renderToken(self, tokens: Sequence[Token], index: int, options, env) -> str:
        token = tokens[index]
        if token.tag not in TAGS:
            return escape(token.content)
        token.attrs = {name: value for name, value in token.attrs.items() if _allowed(token, name)}
        return super().renderToken(tokens, index, options, env)

    def fence(self, tokens: Sequence[Token], index: int, options, env) -> str:
        language = WORD.match(tokens[index].info.strip())
        mark = f' data-language="{escape(language[0])}"' if language else ""
        return f"<pre{mark}><code>{escape(tokens[index].content)}</code></pre>\n"

    def code_block(self, tokens: Sequence[Token], index: int, options, env) -> str:
        return f"<pre><code>{escape(tokens[index].content)}</code></pre>\n"

    def image(self, tokens: Sequence[Token], index: int, options, env) -> str:
        """An image would be fetched: it becomes a link that a person may follow."""
        address = str(tokens[index].attrs.get("src", ""))
        text = escape(tokens[index].content or "image")
        if not is_safe_link(address):
            return f"[{text}]"
        return f"{_link_open(address)}[{text}]</a>{_address(address)}"

    def link_open(self, tokens: Sequence[Token], index: int, options, env) -> str:
        address = str(tokens[index].attrs.get("href", ""))
        return _link_open(address) if is_safe_link(address) else "<span>"

    def link_close(self, tokens: Sequence[Token], index: int, options, env) -> str:
        opened = _opening(tokens, index)
        address = str(tokens[opened].attrs.get("href", ""))
        if not is_safe_link(address):
            return "</span>"
        text = "".join(token.content for token in tokens[opened + 1 : index])
        told = address in (text, text + "/", "mailto:" + text)
        return "</a>" if told else "</a>" + _address(address)

    def html_block(self, tokens: Sequence[Token], index: int, options, env) -> str:
        return escape(tokens[index].content)

    html_inline = html_block


def _link_open(address: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">'


def _address(address: str) -> str:
    return f' <span class="address">({escape(address)})</span>'


def _opening(tokens: Sequence[Token], close: int) -> int:
    """Index of the link_open that belongs to the link_close at `close` (links do not nest)."""
    return next(i for i in range(close, -1, -1) if tokens[i].type == "link_open")


def _allowed(token: Token, name: str) -> bool:
    if name == "style":
        return bool(ALIGNMENT.fullmatch(str(token.attrs["style"])))
    return name in ATTRIBUTES.get(token.tag, ())


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_SafeRenderer)
    reader.enable(["table", "strikethrough"])
    reader.validateLink = is_safe_link
    return reader


_READER = _reader()


def _parsed_blocks(text: str, references: dict) -> list[tuple[int, str]]:
    """(first line, safe HTML) of each top-level block."""
    tokens = _READER.parse(text, references)
    parsed, first = [], 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            html = _READER.renderer.render(tokens[first : index + 1], _READER.options, references)
            parsed.append((tokens[first].map[0], clean(html)))  # entities bring them back
            first = index + 1
    return parsed
