"""An error carries a code for words, and values for the gaps of its sentence."""

from onglet.engine.errors import Incomplete, Refused


def test_refused_says_its_code_and_values():
    refused = Refused("truncated", have=1, need=2)
    assert (refused.code, refused.values) == ("truncated", {"have": 1, "need": 2})
    assert str(refused) == "truncated have=1 need=2"


def test_incomplete_says_how_much_is_needed():
    assert Incomplete(4096).bytes_needed == 4096
