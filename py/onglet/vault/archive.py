"""Everything that is kept as one text, and back: for files that people take away. Reading is
strict: a text is taken whole or not at all, and what is here is never made older by it.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

from onglet.engine.errors import Refused
from onglet.engine.messages import Done
from onglet.sandbox.programs import FIGURES, picture
from onglet.vault.schema import VERSION
from onglet.vault.store import Statement, Store

KIND = "onglet"
TABLES = {
    "folder": ("id", "name", "created"),
    "conversation": ("id", "title", "folder", "created", "changed", "deleted", "shown", "agent"),
    "turn": ("id", "conversation", "parent", "question", "answer", "state", "created", "ended"),
    "agent": ("id", "document", "created", "deleted"),
    "note": ("id", "text", "created", "deleted"),
    "bench_case": ("id", "subject", "question", "expected", "created", "deleted"),
    "trial": ("id", "bench_case", "subject", "model", "answer", "held", "created"),
    "artifact": ("id", "title", "source", "parent", "created", "deleted"),
    "schedule": (
        "id", "document", "question", "notes", "rule", "created", "seen", "deleted", "paused",
    ),
    "run": ("id", "schedule", "began", "state", "answer", "missed", "steps"),
}  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "created": (int, float),
    "changed": (int, float),
    "deleted": (int, float, type(None)),
    "folder": (str, type(None)),
    "parent": (str, type(None)),
    "shown": (str, type(None)),
    "agent": (str, type(None)),
    "held": (int, type(None)),
    "notes": (int,),
    "seen": (int, float),
    "paused": (int,),
    "began": (int, float),
    "missed": (int,),
}
ORDER = dict.fromkeys(TABLES, "id") | {"turn": "number"}
# The version of the tables from which on there are such.
SINCE = {"agent": 2, "note": 3, "bench_case": 5, "trial": 5, "artifact": 7, "schedule": 9, "run": 9}
KINDS = ("conversation", "agent", "note", "artifact", "document")
CHUNK = 400  # rows a statement
STEP = {"tool", "arguments", "state", "result"}  # what every one has
STATES = ("waiting", "writing", "done")


async def dump(store: Store) -> str:
    """All rows of all tables, of one moment, as JSON."""
    statements = [
        [f"SELECT {', '.join(names)} FROM {table} ORDER BY {ORDER[table]}"]
        for table, names in TABLES.items()
    ]
    rows = dict(zip(TABLES, await store.read(*statements), strict=True))
    whole = {"kind": KIND, "version": VERSION, "made": time.time(), "rows": rows}
    return json.dumps(whole, ensure_ascii=False)


async def contents(store: Store) -> dict[str, int]:
    """How many of each kind are kept: of what a dump holds, and of documents, which it does not."""
    kinds = [f"SELECT count(*) FROM {kind} WHERE deleted IS NULL" for kind in KINDS]
    rows = await store.read(*([sql] for sql in kinds))
    return {kind: count for kind, ((count,),) in zip(KINDS, rows, strict=True)}


async def merge(store: Store, text: str) -> int:
    """Adds the rows of a dump; returns how many conversations it held.

    Of a conversation or an answer that is here too the one that changed last stays. Raises Refused
    damaged_file, newer_file; then nothing is changed.
    """
    rows = checked(text)
    rows["schedule"] = [[*row[:-1], 1] for row in rows["schedule"]]  # nothing runs unasked
    for_each = (
        inserting(table, names, rows[table], NEWER[table]) for table, names in TABLES.items()
    )
    await store.write(*(statement for statements in for_each for statement in statements))
    return len(rows["conversation"])


def checked(text: str) -> dict[str, list[list]]:
    """The rows by table. Raises Refused."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("damaged_file") from error
    if not isinstance(whole, dict) or whole.get("kind") != KIND:
        raise Refused("damaged_file")
    if not isinstance(whole.get("version"), int):
        raise Refused("damaged_file")
    if whole["version"] > VERSION:
        raise Refused("newer_file")
    rows = whole.get("rows")
    if whole["version"] < SINCE["agent"]:
        rows = before_agents(rows)
    for table, version in SINCE.items():
        if whole["version"] < version:
            rows = before(table, rows)
    if not isinstance(rows, dict) or set(rows) != set(TABLES):
        raise Refused("damaged_file")
    for table, names in TABLES.items():
        if not isinstance(rows[table], list) or not all(fits(row, names) for row in rows[table]):
            raise Refused("damaged_file")
    known = {row[0] for row in rows["conversation"]}
    folders = {None, *(row[0] for row in rows["folder"])}
    if not all(row[1] in known for row in rows["turn"]):
        raise Refused("damaged_file")
    if not all(row[2] in folders for row in rows["conversation"]):
        raise Refused("damaged_file")
    planned = {row[0] for row in rows["schedule"]}
    if not all(row[1] in planned for row in rows["run"]):
        raise Refused("damaged_file")
    cases = {row[0] for row in rows["bench_case"]}
    if not all(row[1] in cases for row in rows["trial"]):
        raise Refused("damaged_file")
    return rows


def before(table: str, rows: Any) -> Any:
    """The rows of a file from before there was a table, as they would be now."""
    if not isinstance(rows, dict) or table in rows:
        return None
    return {**rows, table: []}


def before_agents(rows: Any) -> Any:
    """The rows of a file from before conversations named an agent, as they would be now."""
    talks = rows.get("conversation") if isinstance(rows, dict) else None
    if not isinstance(talks, list) or not all(isinstance(row, list) for row in talks):
        return None
    return {**rows, "conversation": [[*row, None] for row in talks]}


def fits(row: Any, names: tuple[str, ...]) -> bool:
    """Whether a row has the columns' types, and a turn an end that can be read."""
    if not isinstance(row, list) or len(row) != len(names):
        return False
    named = dict(zip(names, row, strict=True))
    if not all(type(value) in TYPES.get(name, (str,)) for name, value in named.items()):
        return False
    return "ended" not in named or (named["state"] in STATES and is_end(named["ended"]))


def is_end(text: str) -> bool:
    """Whether it holds an answer's figures and problem as conversation.py writes them."""
    try:
        end = json.loads(text)
        figures, problem = end["figures"], end["problem"]
        if figures is not None:
            Done(**figures)
        if problem is not None:
            Refused(problem["code"], **problem["values"])
        return all(is_step(step) for step in end.get("steps", []))
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def is_step(step: Any) -> bool:
    """Whether it is a call of a tool as agents/steps.py writes it."""
    if not isinstance(step, dict) or set(step) - {"figures"} != STEP:
        return False
    for figure in step.get("figures", [])[: FIGURES + 1]:
        picture(figure)  # raises ValueError
    if len(step.get("figures", [])) > FIGURES:
        return False
    texts = (step["tool"], step["state"], step["result"])
    return all(isinstance(text, str) for text in texts) and isinstance(step["arguments"], dict)


NEWER = {
    "agent": "ON CONFLICT (id) DO NOTHING",
    "note": "ON CONFLICT (id) DO NOTHING",
    "artifact": "ON CONFLICT (id) DO NOTHING",
    "bench_case": "ON CONFLICT (id) DO NOTHING",
    "trial": "ON CONFLICT (id) DO NOTHING",
    "schedule": "ON CONFLICT (id) DO NOTHING",
    "run": "ON CONFLICT (id) DO NOTHING",
    "folder": "ON CONFLICT (id) DO NOTHING",
    "conversation": """ON CONFLICT (id) DO UPDATE SET title = excluded.title,
        folder = excluded.folder, changed = excluded.changed, shown = excluded.shown,
        deleted = excluded.deleted WHERE excluded.changed > conversation.changed""",
    "turn": """ON CONFLICT (id) DO UPDATE SET answer = excluded.answer, state = excluded.state,
        ended = excluded.ended WHERE turn.conversation = excluded.conversation
        AND turn.state <> 'done' AND excluded.state = 'done'""",
}


def inserting(table: str, names: Sequence[str], rows: list[list], clash: str) -> list[Statement]:
    """Statements that add rows; `clash` says what happens to one whose key is there."""
    one = f"({', '.join('?' * len(names))})"
    found = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        places = ", ".join([one] * len(chunk))
        sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES {places} {clash}"
        found.append([sql, *(value for row in chunk for value in row)])
    return found


async def rows_of(store: Store) -> dict[str, list[list]]:
    """All rows by table."""
    return json.loads(await dump(store))["rows"]


def rows_of_one(conversation: dict[str, Any], turns: list[dict]) -> dict[str, list[list]]:
    """The rows of a conversation that may be kept nowhere, by table."""
    about = [conversation.get(name) for name in TABLES["conversation"]]
    said = [[turn[name] for name in TABLES["turn"]] for turn in turns]
    return {table: [] for table in TABLES} | {"conversation": [about], "turn": said}


def as_json(rows: dict[str, list[list]]) -> str:
    """The conversations for people and programs: with their turns as trees."""
    whole = {"kind": "onglet-readable", "conversations": conversations(rows)}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def as_markdown(rows: dict[str, list[list]]) -> str:
    """The conversations as one text: the branch that is shown of each."""
    parts = []
    for each in conversations(rows):
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(each["created"]))
        parts.append(f"# {each['title']}\n\n*{day}*\n")
        for turn in branch(each):
            question = "\n".join(f"> {line}" for line in turn["question"].splitlines())
            parts.append(f"{question}\n\n{turn['answer']}\n")
    return "\n".join(parts)


def conversations(rows: dict[str, list[list]]) -> list[dict]:
    """Those not thrown away, oldest first, each with `folder` (its name) and `turns`."""
    folders = {id: name for id, name, _ in rows["folder"]}
    turns: dict[str, list[dict]] = {}
    for row in rows["turn"]:
        turn = dict(zip(TABLES["turn"], row, strict=True))
        turn["ended"] = json.loads(turn["ended"])
        turns.setdefault(turn.pop("conversation"), []).append(turn)
    found = []
    for row in sorted(rows["conversation"], key=lambda row: row[3]):
        each = dict(zip(TABLES["conversation"], row, strict=True))
        if each.pop("deleted") is None:
            each["folder"] = folders.get(each["folder"])
            found.append({**each, "turns": turns.get(each["id"], [])})
    return found


def branch(conversation: dict) -> list[dict]:
    """The turns of the branch that is shown, in order."""
    tree = {turn["id"]: turn for turn in conversation["turns"]}
    found, turn = [], tree.pop(conversation["shown"], None)
    while turn:  # each turn once: a file may hold a circle
        found.append(turn)
        turn = tree.pop(turn["parent"], None)
    return found[::-1]
