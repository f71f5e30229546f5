"""The engine's tokenizer and its answer text, run by Node.js on the embedded model's own tables.

The expectations come from other implementations (tokens_expected.json says which).
"""

import json
from pathlib import Path

import pytest

from onglet.engine.prepare import prepare
from onglet_build import vendor

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "tokens_expected.json").read_text())
HEADER_BYTES = 4 << 20  # the header of the embedded model ends before


@pytest.fixture(scope="module")
def spoken(code, in_node, tmp_path_factory) -> dict:
    """What the tokenizer makes of the lines of tokens_expected.json."""
    model = vendor.model_file()
    header = tmp_path_factory.mktemp("header") / "header"
    with model.open("rb") as file:
        header.write_bytes(file.read(HEADER_BYTES))
    prepared = prepare(header.read_bytes(), model.stat().st_size).to_dict()
    question = {
        "code": code,
        "header": str(header),
        "tables": prepared["tokenizer"],
        "lines": [line for line, _ in EXPECTED["smollm_ids"]],
        "splits": EXPECTED["splits"],
    }
    return in_node("tokens_in_node.mjs", question)


def test_ids_are_those_of_llama_cpp(spoken):
    for (line, ids), ours in zip(EXPECTED["smollm_ids"], spoken["ids"], strict=True):
        assert ours == ids, line


def test_tokens_give_the_text_back(spoken):
    for (line, _), ours in zip(EXPECTED["smollm_ids"], spoken["shown"], strict=True):
        if "<|" not in line and "<repo" not in line:  # control tokens are never shown
            assert ours == line


def test_control_tokens_are_not_shown(spoken):
    lines = [line for line, _ in EXPECTED["smollm_ids"]]
    at = lines.index("<|im_start|> space <|im_end|>x")
    assert spoken["shown"][at] == " space x"


@pytest.mark.parametrize("rule", EXPECTED["splits"])
def test_each_rule_cuts_as_its_family_does(spoken, rule):
    for (line, pieces), ours in zip(EXPECTED["splits"][rule], spoken["splits"][rule], strict=True):
        assert ours == pieces, line


@pytest.fixture
def answer(code, in_node):
    """answer(stops, pieces) -> what is shown after each piece, and at the end."""

    def ask(stops: list[str], pieces: list[str | bytes]) -> dict:
        as_bytes = [list(p.encode() if isinstance(p, str) else p) for p in pieces]
        cases = [{"stops": stops, "pieces": as_bytes}]
        return in_node("answer_text_in_node.mjs", {"code": code, "cases": cases})[0]

    return ask


def test_half_a_character_waits_for_its_other_half(answer):
    smile = "🙂".encode()
    said = answer([], [b"a" + smile[:1], smile[1:3], smile[3:] + b"b"])
    assert said == {"out": ["a", "", "🙂b"], "end": "", "stopped": False}


def test_an_unfinished_character_is_dropped_at_the_end(answer):
    assert answer([], [b"ok\xe2\x82"]) == {"out": ["ok"], "end": "", "stopped": False}


def test_a_stop_string_over_several_tokens_is_never_shown(answer):
    said = answer(["\nUser:"], ["Hello\n", "Us", "er: more"])
    assert said == {"out": ["Hello", "", ""], "end": "", "stopped": True}


def test_what_only_looked_like_a_stop_string_is_shown(answer):
    said = answer(["\nUser:"], ["Hello\n", "Users"])
    assert said == {"out": ["Hello", "\nUsers"], "end": "", "stopped": False}


def test_text_held_back_is_shown_when_the_answer_ends(answer):
    assert answer(["###"], ["a#"]) == {"out": ["a"], "end": "#", "stopped": False}


def test_the_first_of_two_stop_strings_counts(answer):
    said = answer(["END", "STOP"], ["one STOP two END"])
    assert said == {"out": ["one "], "end": "", "stopped": True}
