import pytest

from onglet.engine.prepare import prepare
from onglet.library import fit
from onglet_build import vendor

GIB = 1 << 30


@pytest.fixture(scope="module")
def prepared():
    file = vendor.model_file()
    with file.open("rb") as stream:
        return prepare(stream.read(4 << 20), file.stat().st_size)


def weigh(prepared, **known):
    unknown = {"device_memory": None, "free": None, "read_rate": None, "download_rate": None}
    return fit.receipt(prepared, **(unknown | known))


def test_the_embedded_model_in_600_mb(prepared):
    receipt = weigh(prepared, device_memory=800 << 20, free=GIB, read_rate=10e9, download_rate=1e7)
    assert receipt.verdict == "fits"
    assert 95e6 < receipt.weight_bytes < 98.4e6
    assert receipt.memory_bytes < 800e6
    assert receipt.tokens_per_second == pytest.approx(10e9 / receipt.weight_bytes)
    assert receipt.download_seconds == pytest.approx(receipt.file_bytes / 1e7)


def test_a_table_that_is_not_the_head_is_not_read():
    rows = [{"name": "token_embd.weight", "bytes": 10}, {"name": "blk.0.x", "bytes": 5}]
    assert fit.bytes_per_token(rows) == 15
    assert fit.bytes_per_token([*rows, {"name": "output.weight", "bytes": 10}]) == 15


@pytest.mark.parametrize(
    ("memory", "file", "device", "free", "speed", "verdict"),
    [
        (5 * GIB, 5 * GIB, None, None, None, "too_big"),
        (int(1.7 * GIB), int(1.5 * GIB), 600 << 20, None, None, "too_big_here"),
        (GIB, GIB, 8 * GIB, GIB // 2, None, "no_room"),
        (GIB, GIB, 8 * GIB, 2 * GIB, 1.0, "slow"),
        (GIB, GIB, 8 * GIB, 2 * GIB, 30.0, "fits"),
        (GIB, GIB, None, None, None, "fits"),
    ],
)
def test_verdicts(memory, file, device, free, speed, verdict):
    assert fit.verdict(memory, file, device, free, speed) == verdict
