"""WordPiece with the words of the site's own encoder, read from its GGUF file by Node.js."""

import json
from pathlib import Path

import pytest

from onglet_build import encoder
from onglet_build.tiny_vocabularies import lines

EXPECTED = json.loads(Path(__file__).with_name("word_pieces_expected.json").read_text())
REFERENCE = Path(__file__).parents[1] / "browser" / "embedding_reference.json"
BEGIN, END, UNKNOWN = 101, 102, 100
AWKWARD = lines()[: -11 : EXPECTED["every"]]
MORE = {  # text -> words and signs that it must come to
    "ÜNAFFÄBLE": "unaffable",
    "a\u0000\u200d a\t": "a a",
    "日本": "日 本",
    "don't—$5": "don ' t — $ 5",
    "ΣΊΣΥΦΟΣ": "σισυφοσ",
    "[SEP]": "[ sep ]",
    "": "",
}


@pytest.fixture(scope="module")
def spoken(code, in_node, tmp_path_factory) -> dict[str, list[int]]:
    """text -> its ids"""
    folder = tmp_path_factory.mktemp("encoder")
    encoder.build(folder)
    tables = json.loads((folder / "prepared.json").read_text())["tokenizer"]
    sentences = json.loads(REFERENCE.read_text())["sentences"]
    given = [*AWKWARD, *sentences, *MORE, *MORE.values(), "a" * 100, "a" * 101, "b " * 500]
    file = {"header": str(folder / encoder.FILE), "tables": tables, "lines": given}
    (answer,) = in_node("tokenizers_in_node.mjs", {"code": code, "files": [file]})
    return dict(zip(given, answer["ids"], strict=True))


def test_ids_are_those_of_the_package_tokenizers(spoken):
    sentences = json.loads(REFERENCE.read_text())["sentences"]
    assert len(AWKWARD) == len(EXPECTED["lines"]) > 200
    for line, ids in zip(AWKWARD, EXPECTED["lines"], strict=True):
        assert spoken[line] == [BEGIN, *ids, END], ascii(line)
    for line, ids in zip(sentences, EXPECTED["sentences"], strict=True):
        assert spoken[line] == ids, line


@pytest.mark.parametrize("text", MORE)
def test_words_lose_case_accents_and_controls(spoken, text):
    assert spoken[text] == spoken[MORE[text]]


def test_a_word_of_more_than_100_characters_is_unknown(spoken):
    assert len(spoken["a" * 100]) > 3
    assert spoken["a" * 101] == [BEGIN, UNKNOWN, END]
    assert len(spoken["b " * 500]) == 502
