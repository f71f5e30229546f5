"""What the workshop does, by name: `act` is called by web/workshop/worker.js with a job and its
arguments as JSON and answers with JSON. Runs in a Python of its own, without a screen."""

import base64
import json
from collections.abc import Callable
from typing import Any

from onglet.browser import workbench
from onglet.documents import readers
from onglet.documents.passages import passages
from onglet.engine.errors import Refused
from onglet.graphs import jobs

STEPS = 256  # progress is told so many times at most


async def act(job: str, arguments: str, file: Any, tell: Callable[[str], None]) -> str:
    """Does one job; `tell` takes progress as JSON."""
    try:
        value = await JOBS[job](file, tell, **json.loads(arguments))
        return json.dumps({"kind": "done", "value": value})
    except (Refused, workbench.EncoderFailed) as failed:
        error = {"code": failed.code, "values": failed.values}
    except MemoryError:
        error = {"code": "out_of_memory", "values": {}}
    return json.dumps({"kind": "failed", "error": error}, default=str)


async def read_document(file: Any, tell: Callable[[str], None], name: str) -> dict:
    """A file's passages: {"pages": count or null, "passages": [[text, page, headings, seen]]}."""
    data = await workbench.read_file(file)
    told = (-1, False)

    def progress(done: float, total: int, seeing: bool = False) -> None:
        nonlocal told
        step = int(done * STEPS / max(total, 1)), seeing
        if step != told:
            told = step
            stage = "seeing" if seeing else "reading"
            tell(json.dumps({"stage": stage, "done": done, "total": total}))

    found = list(passages(await readers.read(data, name, progress)))
    pages = max((each.page or 0 for each in found), default=0)
    rows = [[p.text, p.page, p.headings, p.seen] for p in found]
    return {"pages": pages or None, "passages": rows}


async def embed(file: Any, tell: Callable[[str], None], texts: list[str]) -> list[str]:
    """The vector of each text: base64 of 384 signed bytes (a length of 1 is 127)."""

    def told(done: int) -> None:
        tell(json.dumps({"stage": "indexing", "done": done, "total": len(texts)}))

    if not texts:
        return []
    vectors = await workbench.encode(texts, told)
    each = len(vectors) // len(texts)
    starts = range(0, len(vectors), each)
    return [base64.b64encode(vectors[start : start + each]).decode() for start in starts]


_known: tuple[str, list[int], Any] = ("", [], None)  # an index, its numbers, vectors (n, 384)


async def nearest(
    file: Any,
    tell: Callable[[str], None],
    question: str,
    index: str,
    count: int,
    numbers: list[int] | None = None,
    vectors: str = "",
) -> list | None:
    """The passages nearest to a question: [[number, cosine], ...]. `vectors` of all `numbers` one
    after the other, as `embed` gave them; null when it does not know `index` and needs them."""
    global _known
    await workbench.need_numpy()
    import numpy as np

    if numbers is not None:
        whole = np.frombuffer(base64.b64decode(vectors), np.int8).reshape(len(numbers), -1)
        _known = (index, numbers, whole)
    if _known[0] != index:
        return None
    (asked,) = await embed(file, tell, [question])
    wanted = np.frombuffer(base64.b64decode(asked), np.int8)
    return ranked(wanted, _known[1], _known[2], count)


def ranked(wanted: Any, numbers: list[int], whole: Any, count: int) -> list:
    """[[number, cosine], ...], nearest first; signed bytes: wanted (384,), whole (n, 384)."""
    import numpy as np

    whole, wanted = whole.astype(np.float32), wanted.astype(np.float32)
    lengths = np.linalg.norm(whole, axis=1) * np.linalg.norm(wanted)
    cosines = whole @ wanted / np.maximum(lengths, 1e-9)
    best = np.argsort(-cosines, kind="stable")[:count]
    return [[numbers[each], float(cosines[each])] for each in best]


JOBS = {
    "read_document": read_document,
    "embed": embed,
    "nearest": nearest,
    "open_graph": jobs.open_graph,
    "give_graph": jobs.give_graph,
    "run_graph": jobs.run_graph,
    "close_graph": jobs.close_graph,
}
