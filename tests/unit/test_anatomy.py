"""What a file holds, for people: nothing of it is more than printable text."""

import pytest

from onglet.browser.safe import clean
from onglet.engine.gguf import read_header
from onglet.library.anatomy import anatomy
from onglet.sheets import inside
from onglet_build import tiny_architectures, vendor
from onglet_build.hostile_files import STRING, sound
from onglet_build.inspect_file import start_of


@pytest.fixture(scope="module")
def embedded():
    return anatomy("model.gguf", start_of(vendor.model_file()))


def test_the_embedded_model(embedded):
    assert ("general.architecture", '"llama"') in embedded.metadata
    assert (embedded.kinds[0].type, embedded.kinds[0].tensors) == ("Q4_1", 210)
    names = [stretch.name for stretch in embedded.stretches]
    assert names == ["embedding", *map(str, range(30)), "output"]
    assert sum(sum(stretch.parameters) for stretch in embedded.stretches) == 134_515_008
    width, hidden, kv = 576, 1536, 192
    layer = embedded.stretches[1].parameters
    assert layer[0] == 2 * width * width + 2 * width * kv + width  # with its norm
    assert layer[1] == 3 * width * hidden + width
    assert embedded.template.startswith("{%")


@pytest.mark.parametrize("name", tiny_architectures.RECIPES)
def test_every_architecture_has_its_layers(tmp_path, name):
    path = tmp_path / "tiny.gguf"
    tiny_architectures.write(path, name)
    seen = anatomy(path.name, start_of(path))
    layers = [one for one in seen.stretches if one.name.isdigit()]
    assert layers and all(one.parameters[0] and one.parameters[1] for one in layers)


def texts(value) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_hostile_texts_come_through_the_door():
    evil = "<img src=x onerror=alert(1)>\x1b[2J\u202egnp.exe\u2066"
    file = sound().with_value(b"general.name", STRING, evil.encode())
    file = file.with_value(b"tokenizer.chat_template", STRING, evil.encode())
    data = file.written()
    seen = inside.sections(anatomy("key", read_header(data, len(data))), evil)
    shown = texts(seen)
    assert any("<img src=x" in text for text in shown)  # as text: components make text nodes
    assert all(text == clean(text) for text in shown)
    assert not any("\x1b" in text or "\u202e" in text for text in shown)


def test_a_flood_of_tensors_is_cut(embedded):
    many = [embedded.tensors[0]] * 5_000
    table = inside.sections(type(embedded)(**{**vars(embedded), "tensors": many}), "m")[-1]
    assert len(table["rows"]) == inside.MOST_ROWS
