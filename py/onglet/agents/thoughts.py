"""Tells what a model thinks from what it says: text between <think> and </think> comes first.

Knows nothing of conversations, templates or screens.
"""

from dataclasses import dataclass

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True)
class Parts:
    thoughts: str
    said: str
    thinking: bool  # the thoughts have not come to their end


def split(answer: str, *, done: bool = True) -> Parts:
    """The parts of an answer. One that is not `done` may yet turn out to begin with thoughts."""
    text = answer.lstrip()
    if not done and OPEN.startswith(text):
        return Parts("", "", False)
    if not text.startswith(OPEN):
        return Parts("", answer, False)
    thoughts, closed, said = text.removeprefix(OPEN).partition(CLOSE)
    if not closed and not done:
        thoughts = _without_part_of(CLOSE, thoughts)
    return Parts(thoughts.strip(), said.lstrip(), not closed)


def begins(prompt: str) -> bool:
    """Whether a prompt has opened the thoughts already, so that the model will not."""
    return prompt.rstrip().endswith(OPEN)


def _without_part_of(mark: str, text: str) -> str:
    """The text without an end that may become the mark."""
    for length in range(len(mark) - 1, 0, -1):
        if text.endswith(mark[:length]):
            return text[:-length]
    return text
