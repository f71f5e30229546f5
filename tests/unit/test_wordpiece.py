"""WordPiece on a small vocabulary; the real one is compared in the decisions and by the vectors."""

import pytest

from onglet.engine.embed import batches
from onglet.engine.wordpiece import WordPiece, words

NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "!", "日", "a"]
TOKENIZER = WordPiece({name: number for number, name in enumerate(NAMES)})


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("unaffable!", [4, 5, 6, 7]),
        ("ÜNAFFABLE", [4, 5, 6]),
        ("unx a", [1, 9]),
        ("a日a", [9, 8, 9]),
        ("a\u0000\u200d a\t", [9, 9]),
        ("a" * 101, [1]),
        ("", []),
    ],
)
def test_pieces(text, tokens):
    assert TOKENIZER.encode(text, 256) == [2, *tokens, 3]


def test_long_texts_are_cut():
    assert TOKENIZER.encode("a " * 500, 16) == [2, *[9] * 14, 3]


def test_signs_stand_alone():
    assert words("don't—$5") == ["don", "'", "t", "—", "$", "5"]


def test_batches_hold_texts_of_about_one_length():
    lengths = [200, 10, 250, 12, 11, 9]
    found = list(batches(lengths))
    assert sorted(number for batch in found for number in batch) == list(range(6))
    assert found[0][:2] == [2, 0]
    assert all(len(b) * max(lengths[n] for n in b) <= 2048 for b in found)
    assert list(batches([])) == []
