"""`build.py inspect`: the metadata, tensors and types of a file, and the app's own verdict."""

import pytest

from onglet_build import inspect_file, tiny_architectures, tiny_vocabularies, vendor
from onglet_build.hostile_files import HOSTILE, STRING, hostile_file, sound


def inspected(tmp_path, data: bytes, capsys) -> tuple[int, str]:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    status = inspect_file.main([str(path)])
    return status, capsys.readouterr().out


def test_the_embedded_model(capsys):
    assert inspect_file.main([str(vendor.model_file()), "--context", "1024"]) == 0
    said = capsys.readouterr().out
    assert "Runs: llama, 134,515,008 parameters, 30 layers, Q4_1," in said
    assert "for 1,024 tokens of 8,192" in said
    assert 'general.architecture = "llama"' in said
    assert "tokenizer.ggml.tokens = [" in said and "(49,152)" in said
    assert "Q4_1      210 tensors" in said
    assert "blk.0.attn_q.weight" in said


@pytest.mark.parametrize("name", tiny_architectures.RECIPES)
def test_every_architecture_runs(tmp_path, capsys, name):
    path = tmp_path / "tiny.gguf"
    tiny_architectures.write(path, name)
    assert inspect_file.main([str(path)]) == 0
    assert "Runs: " in capsys.readouterr().out


@pytest.mark.parametrize("name", HOSTILE)
def test_what_the_app_refuses_does_not_run(tmp_path, capsys, name):
    status, said = inspected(tmp_path, hostile_file(name), capsys)
    assert status == 1
    assert "Runs: " not in said


def test_an_unknown_architecture_is_named_and_shown_all_the_same(tmp_path, capsys):
    file = sound().with_value(b"general.architecture", STRING, b"mamba")
    status, said = inspected(tmp_path, file.written(), capsys)
    assert status == 1
    assert "Does not run: Onglet does not know the architecture “mamba”" in said
    assert "blk.0.ffn_down.weight" in said


def test_an_unknown_way_to_cut_text_is_named(tmp_path, capsys):
    status, said = inspected(tmp_path, tiny_vocabularies.byte_pairs("spiral").written(), capsys)
    assert status == 1
    assert "tokenizer “spiral”" in said


def test_a_terminal_obeys_no_file(tmp_path, capsys):
    file = sound().with_value(b"general.name", STRING, b"\x1b[2Jred\x9b31m")
    _, said = inspected(tmp_path, file.written(), capsys)
    assert "\x1b" not in said
    assert "\x9b" not in said


def test_no_file(tmp_path, capsys):
    assert inspect_file.main([str(tmp_path / "none")]) == 2
    assert "There is no file" in capsys.readouterr().err
