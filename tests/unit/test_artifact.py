"""onglet.agents.artifact: a page in a link comes out as it was written, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from onglet.agents import links
from onglet.agents.artifact import Page
from onglet.engine.errors import Refused

PAGE = Page.of("Open day", "<h1>Open day</h1>\n\t<p>Come.</p>\r\n")


@given(some.text(max_size=200), some.text(max_size=200))
def test_whatever_a_model_wrote_can_be_shared(name, source):
    page = Page.of(name, source, PAGE)
    assert links.opened(links.link(page)) == page and page.parent == PAGE.hash


def test_what_nobody_can_see_stays_here():
    assert PAGE.source == "<h1>Open day</h1>\n    <p>Come.</p>\n"
    assert Page.of("a\u202eb", "<p>\u200bx</p>") == Page("ab", "<p>x</p>")


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"source": ""}, {"source": "a\tb"}, {"source": "a\u202eb"}, {"more": 1},
     {"parent": "x"}, {"source": "x" * 200_001}, {"name": 1}, {"source": None}],
)  # fmt: skip
def test_what_is_no_page_is_refused(change):
    document = {"onglet": "artifact", "format": 1, "name": "A", "source": "b", "parent": None}
    assert links.proposed(document) == Page("A", "b")
    with pytest.raises(Refused, match="bad_agent"):
        links.proposed(document | change)
