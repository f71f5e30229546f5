import dataclasses

import pytest

from onglet.engine.errors import Refused
from onglet.engine.prepare import prepare
from onglet.engine.work import work
from onglet.library import fit
from onglet.library.fit import Machine
from onglet_build import vendor

MIB, GIB = 1 << 20, 1 << 30


@pytest.fixture(scope="module")
def embedded():
    """The first bytes of the embedded model, and its length."""
    file = vendor.model_file()
    with file.open("rb") as stream:
        return stream.read(4 << 20), file.stat().st_size


def weigh(embedded, **known) -> fit.Receipt:
    return fit.receipt(*embedded, "SmolLM2-135M-Instruct-Q4_1.gguf", Machine(**known))


def test_the_embedded_model_in_600_mb(embedded):
    receipt = weigh(embedded, tab_memory=600 * 10**6, free_storage=GIB, download_rate=1e7)
    assert receipt.verdict == "fits"
    assert 95e6 < receipt.weight_bytes < 98.4e6
    assert receipt.memory_bytes < 600e6
    assert receipt.download_seconds == pytest.approx(receipt.file_bytes / 1e7)


def test_verdicts(embedded):
    known = {"tab_memory": 4 * GIB, "free_storage": GIB, "work_rate": 1e10}
    verdicts = {
        "fits": {},
        "short": {"tab_memory": 510 * MIB},
        "too_big_here": {"tab_memory": 400 * MIB},
        "no_room": {"free_storage": 200 * MIB},
        "slow": {"work_rate": 1e8},
    }
    found = {name: weigh(embedded, **known | other).verdict for name, other in verdicts.items()}
    assert found == {name: name for name in verdicts}
    short = weigh(embedded, **known | verdicts["short"])
    assert short.context < 4096 and short.memory_bytes <= 510 * MIB
    assert short.runs and not weigh(embedded, **known | verdicts["too_big_here"]).runs


def test_speed_follows_from_the_work(embedded):
    card = prepare(*embedded).card
    assert weigh(embedded, work_rate=card["work"] * 40).tokens_per_second == pytest.approx(40)


def test_no_context_is_too_short_to_be_refused(embedded):
    with pytest.raises(Refused, match="too_big"):
        prepare(*embedded, memory=100 * MIB)
    assert prepare(*embedded, memory=160 * MIB).program.context < 4096


def test_a_table_that_is_not_the_head_is_no_work():
    row = {"rows": 10, "columns": 10, "type": 3}
    rows = [{**row, "name": "token_embd.weight"}, {**row, "name": "blk.0.x"}]
    assert work(rows) == 200
    assert work([*rows, {**row, "name": "output.weight"}]) == 200


def test_a_device_that_tells_nothing():
    assert fit.tab_memory(None) is None
    assert fit.engine_memory(None) == fit.MEMORY_LIMIT
    assert dataclasses.astuple(Machine()) == (None, None, None, None)
