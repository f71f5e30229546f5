"""WordPiece: text -> tokens of BERT's vocabularies, as the publisher's tokenizer.json says.

Source: the tokenizer of BERT (Devlin et al. 2018), as Hugging Face's `BertNormalizer` and
`BertPreTokenizer` do it. Knows no model.
"""

import json
import unicodedata

LONGEST_WORD = 100  # characters; a longer one is unknown
CONTINUES = "##"
IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """A tokenizer that lower-cases and takes accents away."""

    def __init__(self, vocabulary: dict[str, int]):
        self.vocabulary = vocabulary
        self.unknown, self.begin, self.end, self.padding = (
            vocabulary[name] for name in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
        )
        self._known: dict[str, list[int]] = {}  # words that were cut before

    @classmethod
    def from_file(cls, data: bytes) -> "WordPiece":
        """Reads a tokenizer.json."""
        return cls(json.loads(data)["model"]["vocab"])

    def encode(self, text: str, most: int) -> list[int]:
        """The tokens of a text between begin and end, at most `most` with these two."""
        found: list[int] = []
        for word in words(text):
            if len(found) >= most - 2:
                break
            found += self._cut(word)
        return [self.begin, *found[: most - 2], self.end]

    def _cut(self, word: str) -> list[int]:
        if word not in self._known:
            self._known[word] = self._longest_pieces(word)
        return self._known[word]

    def _longest_pieces(self, word: str) -> list[int]:
        if len(word) > LONGEST_WORD:
            return [self.unknown]
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = (CONTINUES if start else "") + word[start:end]
                if piece in self.vocabulary:
                    found.append(self.vocabulary[piece])
                    start = end
                    break
            else:
                return [self.unknown]
        return found


def words(text: str) -> list[str]:
    """Words and single signs, lower-cased, without accents."""
    plain = unicodedata.normalize("NFD", "".join(map(cleaned, text)))
    plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Mn").lower()
    return "".join(f" {sign} " if is_sign(sign) else sign for sign in plain).split()


def cleaned(sign: str) -> str:
    """One character: blanks are spaces, controls nothing, ideographs words of their own."""
    if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
        return " "
    if sign == "\ufffd" or unicodedata.category(sign)[0] == "C":
        return ""
    code = ord(sign)
    if code > 0x3000 and any(first <= code <= last for first, last in IDEOGRAPHS):
        return f" {sign} "
    return sign


def is_sign(sign: str) -> bool:
    """Punctuation, and every other ASCII character that is neither letter nor digit."""
    code = ord(sign)
    if code < 128:
        return code > 32 and not sign.isalnum()
    return unicodedata.category(sign)[0] == "P"
