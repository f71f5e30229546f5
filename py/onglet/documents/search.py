"""Finds passages by words and by meaning, and joins both lists by reciprocal rank fusion (Cormack,
Clarke and Buettcher, 2009). Knows rows and numbers, no model: whoever calls makes the vectors.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onglet.vault.papers import Papers, Passage

EACH = 50  # passages that words and meaning each propose
FUSION = 60  # the constant of the method
BEST = 5
NEAR = 0.30  # cosine of the nearest passage below which nothing fits (docs/measurements.md)

Near = Sequence[tuple[int, float]]  # (number of a passage, cosine), nearest first

# Words that ask, join and point; what is left of a question is what it is about.
SILENT = frozenset((
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into",
    "is", "it", "its", "may", "me", "my", "of", "on", "one", "or", "our", "shall", "should",
    "so", "some", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "was", "we", "were", "what", "when", "where", "which", "who", "whom",
    "whose", "why", "will", "with", "would", "you", "your", "au", "aux", "avec", "ce", "ces",
    "cette", "comment", "dans", "de", "des", "du", "elle", "elles", "en", "est", "et", "il",
    "ils", "je", "la", "le", "les", "leur", "lui", "ma", "mais", "mes", "mon", "ne", "nos",
    "notre", "nous", "ou", "par", "pas", "pour", "pourquoi", "qu", "quand", "que", "quel",
    "quelle", "quelles", "quels", "qui", "sa", "se", "ses", "son", "sont", "sur", "ta", "te",
    "tes", "ton", "tu", "un", "une", "vos", "votre", "vous", "y", "à", "été", "être", "où",
))  # fmt: skip


@dataclass(frozen=True)
class Hit:
    passage: Passage
    score: float


def query(question: str) -> str:
    """An FTS5 query for any of a question's words, '' when it has none."""
    words = re.findall(r"\w+", question.lower())
    told = dict.fromkeys(word for word in words if word not in SILENT and len(word) > 1)
    return " OR ".join(f'"{word}"' for word in told)


def fused(*rankings: Iterable[int]) -> list[tuple[int, float]]:
    """Joins rankings of numbers: (number, sum of 1 / (60 + rank)), the best first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(ranking, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (FUSION + rank)
    return sorted(scores.items(), key=lambda each: -each[1])


async def search(
    papers: Papers,
    question: str,
    documents: Sequence[str],
    near: Near | None = None,
    count: int = BEST,
) -> list[Hit]:
    """The passages of these documents that fit a question best; `near` by meaning, None where that
    is not to be had.

    Nothing when no passage comes near enough in meaning.
    """
    if near is not None and not fits(near):
        return []
    wanted = query(question)
    words = await papers.with_words(wanted, documents, EACH) if wanted else []
    best = dict(fused(words, [number for number, _ in near or []])[:count])
    return [Hit(each, best[each.number]) for each in await papers.numbered(list(best))]


def fits(near: Near) -> bool:
    """Whether the documents hold anything about the question."""
    return bool(near) and near[0][1] >= NEAR
