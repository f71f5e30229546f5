"""What the workshop does, by name: `act` is called by web/workshop/worker.js with a job and its
arguments as JSON and answers with JSON. Runs in a Python of its own, without a screen."""

import base64
import json
from collections.abc import Callable
from typing import Any

from onglet.browser import workbench
from onglet.documents import readers
from onglet.documents.passages import passages
from onglet.engine.embed import Embedder
from onglet.engine.errors import Refused

STEPS = 64  # progress is told so many times at most
PRECISION = 127  # a vector of length 1 is kept as 384 signed bytes

_embedder: Embedder | None = None


async def act(job: str, arguments: str, file: Any, tell: Callable[[str], None]) -> str:
    """Does one job; `tell` takes progress as JSON."""
    try:
        value = await JOBS[job](file, tell, **json.loads(arguments))
        return json.dumps({"kind": "done", "value": value})
    except Refused as refused:
        error = {"code": refused.code, "values": refused.values}
    except MemoryError:
        error = {"code": "out_of_memory", "values": {}}
    return json.dumps({"kind": "failed", "error": error}, default=str)


async def read_document(file: Any, tell: Callable[[str], None], name: str) -> dict:
    """A file's passages: {"pages": count or null, "passages": [[text, page, headings], ...]}."""
    data = await workbench.read_file(file)
    told = -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        step = done * STEPS // max(total, 1)
        if step != told:
            told = step
            tell(json.dumps({"done": done, "total": total}))

    found = list(passages(readers.read(data, name, progress)))
    pages = max((each.page or 0 for each in found), default=0)
    return {"pages": pages or None, "passages": [[p.text, p.page, p.headings] for p in found]}


async def embed(file: Any, tell: Callable[[str], None], texts: list[str]) -> list[str]:
    """The vector of each text: base64 of 384 signed bytes (a length of 1 is 127)."""
    await workbench.need_numpy()
    import numpy as np

    global _embedder
    _embedder = _embedder or await Embedder.open()
    vectors = await _embedder.embed(texts)
    rounded = np.rint(vectors * PRECISION).astype(np.int8)
    return [base64.b64encode(each.tobytes()).decode() for each in rounded]


JOBS = {"read_document": read_document, "embed": embed}
