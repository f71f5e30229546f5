"""Will it run here? The receipt of a model before it is downloaded, from its header alone.

A machine's speed is told in work per second (engine/work.py), measured on the model that is loaded.
"""

from dataclasses import dataclass

from onglet.engine.errors import Refused
from onglet.engine.prepare import MEMORY_LIMIT, prepare

APP_BYTES = 350 << 20  # Python, page and engine without a model (docs/decisions.md)
TAB_SHARE = 0.6  # of a device's memory that one tab may take before the system ends it
SLOW = 3.0  # tokens per second; slower than that nobody waits
CLEARLY_SMALLER = 0.75  # a smaller file must be this much smaller to be worth naming
SPARE = 128 << 20  # bytes of storage that browsers take ahead of what is written


@dataclass(frozen=True)
class Machine:
    """What is known of the device. None: not known. Memory in bytes, rates per second."""

    tab_memory: int | None = None  # that this tab may take
    free_storage: int | None = None
    work_rate: float | None = None  # of decoding, in engine/work.py's units
    download_rate: float | None = None  # bytes


@dataclass(frozen=True)
class Receipt:
    """What running a model takes. `verdict`: fits, short (only with a shorter context), slow,
    too_big_here or no_room. Memory and storage in bytes."""

    verdict: str
    file_bytes: int
    weight_bytes: int
    cache_bytes: int  # keys and values at `context`, and what is computed with
    app_bytes: int
    context: int
    tokens_per_second: float | None
    download_seconds: float | None
    card: dict

    @property
    def memory_bytes(self) -> int:
        return self.weight_bytes + self.cache_bytes + self.app_bytes

    @property
    def runs(self) -> bool:
        return self.verdict in ("fits", "short", "slow")


def tab_memory(device_memory: float | None) -> int | None:
    """Bytes that a tab may take on a device of so many bytes."""
    return None if device_memory is None else int(device_memory * TAB_SHARE)


def engine_memory(tab: int | None) -> int:
    """Bytes that a model may take when the tab may take so many."""
    return MEMORY_LIMIT if tab is None else max(0, min(MEMORY_LIMIT, tab - APP_BYTES))


def receipt(header: bytes, file_bytes: int, name: str, machine: Machine) -> Receipt:
    """Weighs the model whose file begins with `header`.

    Raises Incomplete, or Refused for what runs in no browser tab.
    """
    whole = prepare(header, file_bytes, name=name)
    fitting, verdict = whole, "fits"
    try:
        limit = engine_memory(machine.tab_memory)
        fitting = prepare(header, file_bytes, name=name, memory=limit)
    except Refused as refused:
        if refused.code != "too_big":
            raise
        verdict = "too_big_here"
    program = fitting.program
    weights = sum(weight["bytes"] for weight in program.weights)
    rate = machine.work_rate
    speed = rate / fitting.card["work"] if rate else None
    free = machine.free_storage
    if verdict == "fits" and free is not None and file_bytes + SPARE > free:
        verdict = "no_room"
    elif verdict == "fits" and speed is not None and speed < SLOW:
        verdict = "slow"
    elif verdict == "fits" and program.context < whole.program.context:
        verdict = "short"
    return Receipt(
        verdict,
        file_bytes,
        weights,
        program.memory_bytes - weights,
        APP_BYTES,
        program.context,
        speed,
        file_bytes / machine.download_rate if machine.download_rate else None,
        fitting.card,
    )
