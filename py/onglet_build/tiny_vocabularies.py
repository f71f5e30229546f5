"""Writes model files with a small vocabulary of any kind, and the lines to try it on, for tests.

Merges are learned from whole lines, across spaces, digits and punctuation: wherever a tokenizer
cuts text at another place than its twin, other tokens come out. Everything is a function of a seed.
"""

import random
from collections import Counter
from functools import cache
from itertools import pairwise

from onglet_build.hostile_files import ARRAY, BOOL, F32, I32, STRING, WIDTH, File, sound
from onglet_build.tiny_model import byte_letters, joined

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
LINES, LONG = 2000, 10_000  # lines; characters of a long word
ROUNDS, MERGES_A_ROUND = 24, 25
SPACE = "\u2581"

FRAGMENTS = (
    *("l’été", "L'ÉTÉ", "aujourd'hui", "Où", "ça", "œuvre", "naïve", "ÉcoleSupérieure", "« oui »"),
    *("it's", "IT'S", "I'll", "we'VE", "don't", "they're", "'tis", "''s", "’s", "O'Neill", "'D"),
    *("camelCase", "HTTPServer", "snake_case_2", "iPhone15", "McDonald", "ǅ", "ß", "ﬁn", "ŉ"),
    *("0", "42", "1234567", "3.14", "1,000,000", "٣٤٥", "３２１", "x²", "Ⅷ", "½", "1e-5", "0xFF"),
    *("def f(x):", "\treturn x**2", "if (a&&b) {", "}", "//", "/* c */", "#include <a.h>", "a->b"),
    *("$x+=1;", "`code`", "~/.config", "https://a.b/c?d=e&f", "a@b.fr", "<br/>", "{{x}}", "\\n"),
    *("漢字", "こんにちは", "カタカナー", "한국어", "龥龦", "㐀", "你好，世界。", "「」", "、、"),
    *("مرحبا", "بِسْمِ", "שָׁלוֹם", "ไทยแลนด์", "हिन्दी", "বাংলা", "ქართული", "Ελληνικά", "Привет"),
    *("e\u0301te\u0301", "a\u0308\u0323", "\u0301", "n\u0303o", "Å", "\u212b", "ﷺ", "ᾼ", "Ꮿ"),
    *("🙂", "👩‍👩‍👧‍👦", "🇫🇷", "1️⃣", "✅", "👍🏽", "🏳️‍🌈", "𝒳", "𐐀𐐨", "🫠"),
    *(
        "!",
        "?!",
        "...",
        "…",
        "--",
        "—",
        "(a)",
        "[b]",
        "{c}",
        "*",
        "+",
        "=",
        "<",
        ">",
        "^",
        "|",
        "~",
    ),
    *("€5", "£", "%", "‰", "§", "†", "™", "№", "∑", "≠", "→", "°C", "·", "•", "¿", "¡", "，", "！"),
    *("\u200b", "\u200d", "\ufeff", "\u00ad", "\u2028", "\x85", "\x01", "\x7f", "\u3000", "\u2009"),
    *("The", "quick", "brown", "fox", "and", "a", "Zürich", "ZÜRICH", "x", "I", "ﾊﾝｶｸ", "ᄒᆞᆫ"),
)
BETWEEN = ("", "", " ", " ", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\u00a0", " \n ", "\n  ")
SPECIAL_WORDS = ("<|start|>", "<|end|>")
LONG_WORDS = ("a", "é", "Ab", "0123456789", " ", "漢字", "🙂", "!", "\n", "e\u0301", "ab'")


@cache
def lines(seed: int = 1) -> list[str]:
    """2,000 awkward lines, of which the last are single words of 10,000 characters."""
    chance = random.Random(seed)
    long = [(word * LONG)[:LONG] for word in LONG_WORDS]
    return [_line(chance) for _ in range(LINES - len(long))] + long


def _line(chance: random.Random) -> str:
    parts = [chance.choice(BETWEEN)]
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8, 13))):
        special = chance.random() < 0.03
        parts.append(chance.choice(SPECIAL_WORDS if special else FRAGMENTS))
        parts.append(chance.choice(BETWEEN))
    return "".join(parts)


def byte_pairs(pre: str) -> File:
    """A byte-level vocabulary whose file names `pre` as its way to cut text."""
    letters = byte_letters()
    learned = _learn(tuple("".join(letters[byte] for byte in line.encode()) for line in _plain()))
    words = dict.fromkeys([*letters, *("".join(pair) for pair in learned)])
    tokens = [*SPECIAL_WORDS, *words]
    file = _with_tokens(tokens, [CONTROL] * 2 + [NORMAL] * len(words))
    file = file.with_value(b"tokenizer.ggml.pre", STRING, pre.encode())
    merges = [" ".join(pair).encode() for pair in learned]
    return file.with_value(b"tokenizer.ggml.merges", ARRAY, (STRING, merges))


def sentence_pieces(add_space_prefix: bool, name: bytes = b"Sound") -> File:
    """A SentencePiece vocabulary: rare characters are missing, three words share each score, some
    special words are spaces and line ends."""
    text = tuple(line.replace(" ", SPACE) for line in _plain())
    characters = [letter for letter, _ in Counter("".join(text)).most_common(120)]
    words = dict.fromkeys([*characters, *("".join(pair) for pair in _learn(text))])
    special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    special += [("<|endoftext|>", CONTROL)]
    special += [(word, CONTROL) for word in SPECIAL_WORDS]
    special += [("   ", USER_DEFINED), ("\n\n", USER_DEFINED), ("\n\n\n", USER_DEFINED)]
    special += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    for word, _ in special:
        words.pop(word, None)
    tokens = [*(word for word, _ in special), *words]
    kinds = [*(kind for _, kind in special), *[NORMAL] * len(words)]
    scores = [0.0] * len(special) + [-float(rank // 3) for rank in range(len(words))]
    file = _with_tokens(tokens, kinds).with_value(b"general.name", STRING, name)
    file = file.with_value(b"tokenizer.ggml.model", STRING, b"llama")
    for name, value in (("bos", 1), ("eos", 2), ("unknown", 0)):
        file = file.with_value(f"tokenizer.ggml.{name}_token_id".encode(), 4, value)
    file = file.with_value(b"tokenizer.ggml.add_space_prefix", BOOL, add_space_prefix)
    return file.with_value(b"tokenizer.ggml.scores", ARRAY, (F32, scores))


def _plain() -> list[str]:
    """What a vocabulary is learned from: a third of the lines, no special words."""
    plain = lines()[: LINES // 3]
    for word in SPECIAL_WORDS:
        plain = [line.replace(word, "") for line in plain]
    return plain


@cache
def _learn(text: tuple[str, ...]) -> list[tuple[str, str]]:
    """The most frequent neighbours, a few at a time, each joined before the next are counted."""
    words, learned = [list(line) for line in text], []
    for _ in range(ROUNDS):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:MERGES_A_ROUND]
        for pair in best:
            words = [joined(word, pair) if pair[0] in word else word for word in words]
        learned += best
    return learned


def _with_tokens(tokens: list[str], kinds: list[int]) -> File:
    file = sound().with_tensor(b"token_embd.weight", dimensions=(WIDTH, len(tokens)))
    texts = [token.encode() for token in tokens]
    file = file.with_value(b"tokenizer.ggml.tokens", ARRAY, (STRING, texts))
    file = file.with_value(b"tokenizer.ggml.token_type", ARRAY, (I32, kinds))
    return file.with_value(b"tokenizer.ggml.add_bos_token", BOOL, False)
