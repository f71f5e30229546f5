"""Looks up notes by their words."""

import re

from onglet.agents.tools import LONGEST, Here

PERMISSION, WRITES = "free", False
EXAMPLES = (
    ("What did I tell you about the garden key?", {"about": "garden key"}),
    ("Do you remember what Tom likes?", {"about": "tom likes"}),
)
SHOWN = 5  # notes in a result
WANTED = re.compile(
    r"\bmy notes?\b|\bi (?:told|asked|said|noted|saved|wrote)\b"
    r"|\bdid i (?:tell|ask|say|note|save|write)"
    r"|\b(?:do|can|did) you (?:still )?(?:remember|recall|know (?:my|where i|when i|what i))"
    r"|\bwhat do you (?:know|remember) about (?:me|my)\b"
    r"|\bremind me (?:what|where|when|who|of|about)\b|\b(?:look up|recall)\b"
)
WORD = re.compile(r"[^\W_]+")
_EMPTY = """
    a an the of to in on at by for from with about and or is are was were be do does did have
    has had i me my you your we it its that this these those what which who whom whose where
    when why how can could would will shall please tell told say said ask asked note notes
    noted save saved wrote write written remember recall remind look find search up know still
    there any all anything something s t m re ve
"""
EMPTY = frozenset(_EMPTY.split())


async def recall(about: str, here: Here) -> str:
    """Looks in the person's notes for what was written down about something."""
    if here.notes is None:
        raise ValueError("There are no notes on this device.")
    wanted = contents(about)
    ranked = [(shared(wanted, note), note) for note in await here.notes.texts()]
    best = max((score for score, _ in ranked), default=0)
    found = [note for score, note in ranked if score == best and (best or not wanted)]
    if not found:
        return f"The notes say nothing about {about}."
    return "The notes say: " + "; ".join(found[:SHOWN])


def contents(text: str) -> list[str]:
    return [word for word in WORD.findall(text.lower()) if word not in EMPTY]


def shared(wanted: list[str], note: str) -> int:
    """How many of the words a note has, endings aside."""
    there = [stem(word) for word in contents(note)]
    return sum(stem(word) in there for word in wanted)


def stem(word: str) -> str:
    return re.sub(r"(?:ies|es|s|ed|ing)$", "", word) if len(word) > 4 else word


def read(question: str, here: Here) -> list[dict]:
    """The words that say what is looked for."""
    if not WANTED.search(question.lower()):
        return []
    return [{"about": " ".join(contents(question))[:LONGEST]}]
