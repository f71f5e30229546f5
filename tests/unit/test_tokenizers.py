"""Every kind of vocabulary against llama.cpp, on up to 2,000 awkward lines and words of 10,000
characters. ONGLET_FULL=1 takes all lines for every way to cut text."""

import os
import unicodedata
from pathlib import Path

import llama_cpp
import pytest

from onglet.engine.prepare import prepare
from onglet_build import tiny_vocabularies
from onglet_build.hostile_files import File
from onglet_build.places import BUILD
from onglet_build.tiny_vocabularies import LONG_WORDS, SPECIAL_WORDS, lines

FULL = bool(os.environ.get("ONGLET_FULL"))
EVERY = 1 if FULL else 4  # of the lines, for families that few files name
WHOLE = ("gpt-2", "smollm", "llama-bpe", "qwen2")
FAMILIES = (
    *("default", "dbrx", "qwen35", "deepseek-r1-qwen", "deepseek-llm", "deepseek-coder"),
    *("deepseek-v3", "tekken", "gpt-4o", "falcon"),
)
ALIASES = (
    *("phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "starcoder", "refact"),
    *("command-r", "codeshell", "exaone", "minerva-7b", "llama3", "llama-v3", "falcon3"),
    *("falcon-h1", "pixtral", "midm-2.0", "lfm2", "smaug-bpe", "glm4", "chatglm-bpe"),
    *("stablelm2", "hunyuan", "hunyuan-dense", "joyai-llm", "llama4"),
)
COMPOSED = ("qwen2", "qwen35")  # their publisher composes characters first, llama.cpp does not
SLOW = ("tekken", "gpt-4o", "deepseek-v3", "deepseek-llm", "deepseek-coder")  # llama.cpp's regex


def lines_for(name: str) -> list[str]:
    if name in ALIASES:
        return lines()[:200]
    if name in SLOW and not FULL:
        plain = lines()[: -len(LONG_WORDS)][:: 1 if name in WHOLE else EVERY]
        return [*plain, *(word * 500 for word in LONG_WORDS)]
    return lines() if name in WHOLE or name.startswith("pieces") else lines()[::EVERY]


def file_of(name: str) -> File:
    if name.startswith("pieces"):
        title = b"Phi-3 Mini" if "swallowing" in name else b"Sound"
        return tiny_vocabularies.sentence_pieces("prefix" in name, title)
    return tiny_vocabularies.byte_pairs(name)


NAMES = (*WHOLE, *FAMILIES, *ALIASES, "pieces", "pieces, prefix", "pieces, prefix, swallowing")


def written(name: str) -> Path:
    folder = BUILD / "kernel_tests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"vocabulary-{name}.gguf"
    path.write_bytes(file_of(name).written())
    return path


@pytest.fixture(scope="module")
def spoken(code, in_node) -> dict[str, dict]:
    """What the engine makes of the lines, for each vocabulary."""
    files = []
    for name in (*NAMES, "nobody's"):
        path = written(name)
        data = path.read_bytes()
        tables = prepare(data, len(data)).to_dict()["tokenizer"]
        files.append({"header": str(path), "tables": tables, "lines": lines_for(name)})
    answers = in_node("tokenizers_in_node.mjs", {"code": code, "files": files})
    return dict(zip((*NAMES, "nobody's"), answers, strict=True))


def test_the_lines_are_awkward():
    assert len(lines()) == 2000
    assert [len(line) for line in lines()[-len(LONG_WORDS) :]] == [10_000] * len(LONG_WORDS)


@pytest.mark.parametrize("name", NAMES)
def test_the_tokens_are_those_of_llama_cpp(spoken, name):
    given = lines_for(name)
    if name in COMPOSED:
        given = [unicodedata.normalize("NFC", line) for line in given]
    expected = llama_cpp.tokenize(written(name), given)
    for line, ours, theirs in zip(given, spoken[name]["ids"], expected, strict=True):
        assert ours == theirs, ascii(line[:200])


@pytest.mark.parametrize("name", NAMES)
def test_the_tokens_give_the_text_back(spoken, name):
    prefix = " " if "prefix" in name else ""
    for line, text in zip(lines_for(name), spoken[name]["texts"], strict=True):
        if name in COMPOSED:
            line = unicodedata.normalize("NFC", line)
        if not any(word in line for word in (*SPECIAL_WORDS, "   ", "\n\n")):
            assert text == prefix + line


def test_an_unknown_way_to_cut_text_is_refused_by_name(spoken):
    assert spoken["nobody's"] == {"code": "unknown_tokenizer", "values": {"tokenizer": "nobody's"}}
