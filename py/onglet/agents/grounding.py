"""Answers from documents: what a turn keeps of a passage, and the messages that hand passages to a
model. Few and short ones: the smallest model reads 2,048 tokens. Knows no document and no screen.
"""

from dataclasses import dataclass

MOST = 3  # passages given to the model, about 250 tokens each
LONGEST = 1100  # characters of one
RULE = (
    "Answer from the numbered passages alone, in one to three sentences. "
    "Name the passage you used, like [1]. If they do not hold the answer, say so."
)
TYPES = {
    "document": (str,), "name": (str,), "place": (int,), "page": (int, type(None)),
    "headings": (str,), "text": (str,), "seen": (bool,),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A passage as an answer cites it: `place` in its document from 0, `page` from 1."""

    document: str
    name: str
    place: int
    page: int | None
    headings: str
    text: str
    seen: bool = False  # read from a picture

    @classmethod
    def read(cls, kept: object) -> "Source | None":
        """From what was kept, or came in a file; None if it is something else."""
        if not isinstance(kept, dict):
            return None
        kept = {"seen": False, **kept}  # older ones do not say it
        if set(kept) != set(TYPES):
            return None
        if not all(type(kept[name]) in types for name, types in TYPES.items()):
            return None
        return cls(**kept)


def read_all(kept: object) -> list[Source] | None:
    """The sources of a turn; None when it was not asked of documents."""
    if not isinstance(kept, list):
        return None
    found = [Source.read(each) for each in kept[:MOST]]
    return [each for each in found if each]


def messages(question: str, sources: list[Source], instructions: str) -> list[dict]:
    """One question with its passages, without what was said before: it would not fit."""
    told = [f"[{number}] {shorter(each.text)}" for number, each in enumerate(sources, 1)]
    system = f"{instructions} {RULE}".strip()
    asked = "\n\n".join([*told, f"Question: {question}"])
    return [{"role": "system", "content": system}, {"role": "user", "content": asked}]


def shorter(text: str) -> str:
    """At most so much of a passage, cut at a word."""
    return text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
