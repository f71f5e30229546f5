"""The receipt's tokens per second against those that come: within 30 % for files of other types and
another size than the one that the speed was measured on. Only in `build.py check --full`: it wants
a machine that does nothing else."""

import os
import statistics

import pytest
from engine_driver import PAGE, Engine, chat

from onglet.engine.prepare import prepare
from onglet.library import fit
from onglet_build.bench import models
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS

pytestmark = pytest.mark.skipif(not os.environ.get("ONGLET_FULL"), reason="only in check --full")
FILES = ("Q4_0", "Q8_0", "Q4_K_M", "Q6_K", "0.5B-Q4_0")
WITHIN = 0.30
ROUNDS, TOKENS = 5, 64
HEADER_BYTES = 4 << 20
PREPARE = """
  engine.onreply = ({ kind, id }) => kind === 'header'
    ? { kind: 'prepared', id, prepared: a[0], refused: null } : null;
"""


def rate(engine: Engine) -> float:
    """Tokens per second, the median of some answers."""
    sampling = {"temperature": 0.0}
    said = [
        engine.answer(chat("Count."), max_tokens=TOKENS, sampling=sampling)["end"]
        for _ in range(ROUNDS)
    ]
    return statistics.median(end["decode_tokens_per_second"] for end in said)


@pytest.mark.parametrize("name", FILES)
def test_the_speed_that_the_receipt_tells(name, new_context, site):
    file = models.model(name)
    with file.open("rb") as stream:
        header = stream.read(HEADER_BYTES)
    size = file.stat().st_size
    prepared = prepare(header, size, name=file.name).to_dict()
    folders = {"/": PAGE, "/site/": site, "/model/": file.parent}
    with Loopback(folders, headers=HEADERS) as host:
        engine = Engine.opened(new_context(host).new_page(), host.url, site)
        engine.start()
        loaded = engine.load()
        before = rate(engine)
        engine.run(PREPARE, prepared)
        answered = engine.load({"kind": "url", "url": f"{host.origin}/model/{file.name}"})
        assert answered["kind"] == "loaded"
        found = rate(engine)
        engine.load()
        known = fit.Machine(work_rate=(before + rate(engine)) / 2 * loaded["card"]["work"])
    told = fit.receipt(header, size, file.name, known).tokens_per_second
    print(f"{name}: told {told:.1f}, came {found:.1f} tokens/s ({told / found - 1:+.0%})")
    assert abs(told / found - 1) <= WITHIN
