"""The two tables of words say the same things, all that is said exists, nothing is left over."""

import ast
import re
import string

import pytest

from onglet import words
from onglet_build.places import PY, ROOT, WEB

ENGLISH, FRENCH = words.TABLES["en"], words.TABLES["fr"]
SCREEN = [
    PY / "onglet" / "app.py",
    PY / "onglet" / "components.py",
    PY / "onglet" / "session.py",
    *(PY / "onglet" / "pages").glob("*.py"),
    *(PY / "onglet" / "sheets").glob("*.py"),
]
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+")
BOOT_KEYS = {
    "error.title",
    "notice.app_failed",
    "notice.app_stopped",
    "notice.reload",
}  # onglet_build/site.py


@pytest.fixture(autouse=True)
def back_to_english():
    yield
    words.speak("en")


def gaps(sentence: str) -> set:
    return {(name, spec) for _, name, spec, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_keys_in_the_same_order():
    assert list(ENGLISH) == list(FRENCH)


@pytest.mark.parametrize("key", ENGLISH)
def test_both_languages_have_the_same_gaps(key):
    assert gaps(ENGLISH[key]) == gaps(FRENCH[key])


def test_every_error_code_has_its_sentence():
    protocols = (ROOT / "docs" / "protocols.md").read_text()
    section = protocols[protocols.index("## 8. Words and errors") :]
    section = section[section.index("Codes so far") :].partition("\n## ")[0]
    codes = re.findall(r"`([a-z_]+)`", section.replace("(values: `looks_like`", ""))
    values = {"have", "need", "where", "architecture", "type", "tensor", "limit", "tokens"}
    values |= {"tokenizer", "url", "status", "looks_like", "reason", "code", "least", "field"}
    values |= {"host", "suffix", "pages", "name", "seconds"}
    missing = {code for code in codes if f"error.{code}" not in ENGLISH} - values
    assert len(codes) > 15
    assert missing == set()


def test_everything_that_the_code_says_is_in_the_tables():
    unknown = {key for key in keys_in_code() if key not in ENGLISH and not is_prefix(key)}
    assert unknown == set()


def test_nothing_in_the_tables_is_left_over():
    said = keys_in_code() | BOOT_KEYS
    built = ("error.", "try.", "sampling.", "theme.", "looks_like.", "backend.", "keys.", "key.")
    built += ("language.", "model.", "chat.reason.", "data.field.", "locked.")
    built += ("privacy.", "link.", "models.receipt.", "models.verdict.", "silence.")
    built += ("tool.", "permission.", "flow.", "plan.")
    built += ("documents.stage.", "playground.", "console.example.")
    built += ("agents.field.", "agents.budget.", "agents.model.choice.", "bench.")
    built += ("documents.stage.", "graphs.reason.", "graphs.stage.")
    built += ("graphs.least", "graphs.greatest", "graphs.mean")
    left = {key for key in ENGLISH if key not in said and not key.startswith(built)}
    assert {key for key in left if key.rpartition(".")[0] not in said} == set()


def keys_in_code() -> set[str]:
    found = set()
    for path in SCREEN:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if KEY.fullmatch(node.value) else set()
    return {key for key in found if key.split(".")[0] in roots()}


def roots() -> set[str]:
    return {key.split(".")[0] for key in ENGLISH}


def is_prefix(key: str) -> bool:
    return any(known.startswith(f"{key}.") for known in ENGLISH)


def test_no_sentence_lives_in_the_code_of_the_screen():
    sentence = re.compile(r"[A-Z][a-z]+ [a-z]+")
    for path in SCREEN:
        tree = ast.parse(path.read_text())
        documentation = {id(part.value) for part in ast.walk(tree) if isinstance(part, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                own = id(node) not in documentation
                assert not (own and sentence.search(node.value)), f"{path.name}: {node.value!r}"
    for path in (WEB / "components").glob("*.js"):
        code = re.sub(r"/\*.*?\*/|//.*", "", path.read_text(), flags=re.DOTALL)
        for text in re.findall(r"[\"'`]([^\"'`\n]*)[\"'`]", code):
            assert not sentence.match(text), f"{path.name}: {text!r}"


@pytest.mark.parametrize("key", FRENCH)
def test_french_is_set_as_french(key):
    """A no-break space before high punctuation and inside the quotation marks; ’ not '."""
    sentence = FRENCH[key]
    assert not re.search(r"[^\u00a0\u202f{\w][;?!»]|[^\u00a0\u202f\w{]:(?!\w)", sentence), sentence
    assert not re.search(r"\w[;?!»]", sentence), sentence
    assert not re.search("«[^\u00a0\u202f]", sentence), sentence
    assert not re.search(r"\w'\w", sentence), sentence


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_exclamation_mark_and_no_first_person(language):
    for key, sentence in words.TABLES[language].items():
        assert "!" not in sentence, key
        assert not re.search(r"\b(I|I'm|je|j’)\b", sentence), key


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 bytes", "0 octet"),
        (1, "1 byte", "1 octet"),
        (2, "2 bytes", "2 octets"),
        (1_500, "1.5 kB", "1,5 ko"),
        (41_000_000, "41 MB", "41 Mo"),
        (98_362_432, "98 MB", "98 Mo"),
        (9_960_000, "10 MB", "10 Mo"),
        (1_300_000_000, "1.3 GB", "1,3 Go"),
    ],
)
def test_sizes(count, english, french):
    assert words.size(count).replace("\u00a0", " ") == english
    words.speak("fr")
    assert words.size(count).replace("\u00a0", " ") == french


def test_counts_take_their_plural():
    assert words.say("chat.count", count=1) == "1 token"
    assert words.say("chat.count", count=0) == "0 tokens"
    words.speak("fr")
    assert words.say("chat.count", count=0) == "0 jeton"
    assert words.say("chat.count", count=1234) == "1\u202f234 jetons"


def test_a_truncated_file_is_told_with_its_sizes():
    sentence = words.explain("truncated", {"have": 41_000_000, "need": 98_362_432})
    assert "41\u00a0MB of 98\u00a0MB" in sentence


def test_an_unknown_code_and_missing_values_still_give_a_sentence():
    assert "odd_code" in words.explain("odd_code", {})
    assert "truncated" in words.explain("truncated", {})
    assert "not_gguf" in words.explain("not_gguf", {"looks_like": "a spoon"})


def test_an_unknown_language_means_english():
    words.speak("tlh")
    assert words.spoken() == "en"
