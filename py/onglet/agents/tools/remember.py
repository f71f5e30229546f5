"""Writes a note that later chats can look up."""

import re

from onglet.agents.tools import LONGEST, Here

PERMISSION, WRITES = "ask", True
EXAMPLES = (
    ("Remember that the garden key is under the pot.", {"note": "the garden key is under the pot"}),
    ("Note: Tom likes green tea", {"note": "Tom likes green tea"}),
)
WANTED = re.compile(
    r"^\W*(?:please|can you|could you|kindly|ok(?:ay)?|and|also|,|\s)*"
    r"(?:remember|note|take (?:a )?note|make (?:a )?note|keep in mind|bear in mind|memori[sz]e|save"
    r"|store|write down|jot down|add (?:this )?to my notes|(?:do not|don'?t|never) forget)\b"
    r"(?:\s+(?:this|it|that|down|for later|for me|please|of|the following|in my notes|fact)\b)*"
    r"\s*[:,–-]?\s*(?P<note>.{3,})$",
    re.IGNORECASE | re.DOTALL,
)


async def remember(note: str, here: Here) -> str:
    """Writes down a fact that the person wants to be remembered later."""
    if here.notes is None:
        raise ValueError("Nothing can be kept on this device now.")
    text = " ".join(note.split())[:LONGEST]
    if not text:
        raise ValueError("There is nothing to write down.")
    await here.notes.add(text)
    return f"Noted: {text}"


def read(question: str, here: Here) -> list[dict]:
    """What stands behind the wish to remember."""
    found = WANTED.match(question.strip().replace("’", "'"))
    if not found or question.strip().endswith("?"):
        return []
    return [{"note": " ".join(found["note"].split()).rstrip(" .!")[:LONGEST]}]
