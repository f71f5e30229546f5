"""What can be wrong with input, and with what was asked of the page. Codes are listed in
docs/protocols.md section 8.

Knows no sentence: the words for a code live in `onglet/words/<language>.json` under `error.<code>`.
"""

import logging
from collections.abc import Awaitable
from typing import Any

from onglet.browser.bridge import ServiceFailed

LOG = logging.getLogger(__name__)


class Refused(Exception):
    """Something is not right, for the reason `code`; `values` fill the gaps of its sentence."""

    def __init__(self, code: str, /, **values):
        super().__init__(code, values)
        self.code = code
        self.values = values

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{name}={value!r}" for name, value in self.values.items())])


class Incomplete(Exception):
    """The header goes on: come back with the first `bytes_needed` bytes of the file."""

    def __init__(self, bytes_needed: int):
        super().__init__(bytes_needed)
        self.bytes_needed = bytes_needed


async def problem_of(work: Awaitable[Any]) -> Refused | None:
    """Waits for work of the workshop or the store; returns what kept it from being done."""
    try:
        await work
    except Refused as refused:
        return refused
    except ServiceFailed as error:
        LOG.warning("not done: %s", error)
        return Refused("workshop_failed")
    return None
