"""Whether a chat holds text of others: what a person did not write there may ask for things, so
tools that write then ask the person each time, whatever the agent permits. Knows no tool.
"""

from collections.abc import Iterable

from onglet.agents import gallery
from onglet.agents.config import Agent
from onglet.agents.conversation import Turn

OWN = 300  # characters: what is longer, or has lines, was hardly typed


def holds_text_of_others(agent: Agent, turns: Iterable[Turn]) -> bool:
    """An agent whose words are not the site's, a tool's result, a passage, something pasted."""
    return not gallery.is_ours(agent) or any(is_of_others(turn) for turn in turns)


def is_of_others(turn: Turn) -> bool:
    return bool(turn.steps or turn.sources) or is_pasted(turn.question)


def is_pasted(question: str) -> bool:
    question = question.strip()
    return "\n" in question or len(question) > OWN
