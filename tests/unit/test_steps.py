"""A step of the build runs once for each state of what it reads."""

import pytest

from onglet_build import steps


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "STEPS", tmp_path / "steps")
    made = []

    def run(*inputs):
        def make(folder):
            made.append(folder)
            (folder / "result").write_text("made")
            return {"number": len(made)}

        return steps.cached("step", inputs, make)

    return run


def test_runs_again_only_for_other_bytes(tmp_path, runs):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("one")
    folder, first = runs(source)
    assert (folder / "result").read_text() == "made"
    assert runs(source) == (folder, first)
    (source / "a.txt").write_text("two")
    other, second = runs(source)
    assert second == {"number": 2}
    assert other != folder
    assert not folder.exists()


def test_a_renamed_file_is_another_input(tmp_path, runs):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("one")
    runs(source)
    (source / "a.txt").rename(source / "b.txt")
    assert runs(source)[1] == {"number": 2}


def test_a_step_that_failed_runs_again(tmp_path, monkeypatch, runs):
    monkeypatch.setattr(steps, "STEPS", tmp_path / "steps")

    def fail(folder):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        steps.cached("step", ["x"], fail)
    assert runs("x")[1] == {"number": 1}


def test_caches_of_tools_are_no_input(tmp_path):
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/a.pyc").write_bytes(b"1")
    (tmp_path / "a.py").write_text("x")
    assert [path.name for path in steps.files_under(tmp_path)] == ["a.py"]
