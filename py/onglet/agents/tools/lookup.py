"""Looks into the person's documents: the passages that fit best, and where they stand."""

import re

from onglet.agents.tools import LONGEST, Here, Passage

PERMISSION, WRITES = "free", False
EXAMPLES = (
    ("What do my documents say about the warranty?", {"about": "the warranty"}),
    ("Find the opening hours in my files", {"about": "the opening hours"}),
)
SHOWN = 2  # passages in a result
CHARACTERS = 320  # of a passage
PLACES = r"(?:documents?|files?|pdfs?|papers?|manuals?|guides?)"
WANTED = re.compile(
    rf"\b(?:in|from|through|of) (?:my|the|these|our|all(?: my)?) {PLACES}\b"
    rf"|\bmy {PLACES} (?:say|tell|mention|hold|contain)"
    rf"|\bdo(?:es)? (?:my|the) {PLACES} (?:say|tell|mention)"
    rf"|\baccording to (?:my|the|our) {PLACES}\b|\bsearch (?:my|the|our) {PLACES}\b"
)
ABOUT = re.compile(
    rf"\b{PLACES} (?:say|tell(?: me)?|mention)s? (?:about|on|of) (?P<about>.+?)[.?!]*$"
)


WORD = re.compile(r"\w{4,}")
SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")


async def lookup(about: str, here: Here) -> str:
    """Finds what the person's own documents say about something."""
    if here.search is None:
        raise ValueError("There are no documents on this device.")
    hits = await here.search(about)
    if not hits:
        return f"The documents say nothing about {about}."
    return " ".join(told(hit.passage, about) for hit in hits[:SHOWN])


def told(passage: Passage, about: str) -> str:
    page = f", page {passage.page}" if passage.page else ""
    return f"{passage.name}{page}: “{part(passage.text, about)}”"


def part(text: str, about: str) -> str:
    """At most so much of a passage, from the sentence on that holds most of the words."""
    text = " ".join(text.split())
    if len(text) <= CHARACTERS:
        return text
    wanted = set(WORD.findall(about.lower()))
    sentences = list(SENTENCE.finditer(text))
    best = max(sentences, key=lambda each: len(wanted & set(WORD.findall(each[0].lower()))))
    rest = text[best.start() :]
    return rest if len(rest) <= CHARACTERS else rest[:CHARACTERS].rsplit(" ", 1)[0] + " …"


def read(question: str, here: Here) -> list[dict]:
    """What is looked for, where a question names the documents."""
    line = " ".join(question.split())
    if not WANTED.search(line.lower()):
        return []
    found = ABOUT.search(line)
    return [{"about": (found["about"] if found else line)[:LONGEST]}]
