"""The saved interpreter is cut into files and stretches that hold every byte that is not zero."""

import random
import zipfile

from onglet_build import python_bundle, snapshot

PAGE = snapshot.PAGE
GAP = bytes(PAGE)


def some_bytes(length: int) -> bytes:
    return random.Random(length).randbytes(length).replace(b"\0", b"\1")


def put_back(memory: bytes, stretches: list[tuple[int, int]]) -> bytes:
    restored = bytearray(len(memory))
    for start, length in stretches:
        restored[start : start + length] = memory[start : start + length]
    return bytes(restored)


def test_empty_pages_are_left_out_and_nothing_else():
    full = some_bytes(PAGE)
    memory = full + GAP + full + full[:-1] + b"\0" + GAP * 2 + b"end"
    stretches = snapshot.full_stretches(memory)
    assert stretches == [(0, PAGE), (2 * PAGE, 2 * PAGE), (6 * PAGE, 3)]
    assert put_back(memory, stretches) == memory


def test_memory_may_hold_nothing():
    assert snapshot.full_stretches(GAP) == []
    assert snapshot.full_stretches(b"") == []


def test_no_file_is_larger_than_hosts_take():
    stretches = [(0, 10), (20, 25), (50, 5)]
    files = snapshot.cut(stretches, 16)
    assert files == [[(0, 10), (20, 6)], [(26, 16)], [(42, 3), (50, 5)]]


def test_a_zip_has_the_same_bytes_each_time(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("b.pyc", "a.pyc"):
        (tree / name).write_text(name)
    for target in ("one.zip", "two.zip"):
        python_bundle.write_zip(tree, tmp_path / target)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.pyc", "b.pyc"]
