"""The one door for model files: what it says of sound ones. (Hostile ones: test_gguf.py.)"""

import json
import struct
from dataclasses import replace

import pytest

from onglet.engine.errors import Refused
from onglet.engine.models import ARCHITECTURES
from onglet.engine.prepare import CONTEXT, prepare
from onglet_build import tiny_model, vendor
from onglet_build.hostile_files import (
    ARRAY,
    BOOL,
    I32,
    MORE,
    STRING,
    U32,
    VOCABULARY,
    File,
    sound,
    sound_of,
)

ENCODERS = ("bert",)


def prepared(file: File, **options):
    data = file.written()
    return prepare(data, len(data), **options)


@pytest.fixture(scope="module")
def embedded():
    path = vendor.model_file()
    with path.open("rb") as file:
        return prepare(file.read(2 << 20), path.stat().st_size, name=path.name)


def test_the_card_of_the_embedded_model(embedded):
    card = embedded.card
    assert card["name"] == "SmolLM2-135M-Instruct"
    assert (card["parameters"], card["quantization"]) == (134_515_008, "Q4_1")
    assert (card["license"], card["languages"]) == ("apache-2.0", ["en"])
    assert (card["context_length"], card["layers"], card["file_bytes"]) == (8192, 30, 98_362_432)


def test_the_tokenizer_of_the_embedded_model(embedded):
    tokenizer = embedded.tokenizer
    assert (tokenizer["model"], tokenizer["pre"]) == ("gpt2", "smollm")
    assert (tokenizer["tokens"]["count"], tokenizer["merges"]["count"]) == (49_152, 48_900)
    assert (tokenizer["bos"], tokenizer["eos"], tokenizer["unknown"]) == (1, 2, 0)
    assert tokenizer["end_of_turn"] == [0, 2]
    assert tokenizer["special"][1] == [1, "<|im_start|>"]
    assert tokenizer["add_bos"] is False
    assert embedded.chat_template.startswith("{% for message in messages %}")


def test_the_whole_is_json(embedded):
    plain = embedded.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["program"]["context"] == CONTEXT


def test_offsets_are_places_in_the_file():
    data = sound().written()
    tokens = prepared(sound()).tokenizer["tokens"]
    (length,) = struct.unpack_from("<Q", data, tokens["offset"])
    assert data[tokens["offset"] + 8 :][:length] == b"t0"
    assert tokens["count"] == VOCABULARY


@pytest.mark.parametrize("variant", tiny_model.VARIANTS)
def test_every_type_with_kernels_is_prepared(tmp_path, variant):
    path = tmp_path / "tiny.gguf"
    tiny_model.write(path, tiny_model.VARIANTS[variant])
    data = path.read_bytes()
    ready = prepare(data, len(data), name="models/Tiny-Chat." + variant + ".gguf")
    assert (ready.card["quantization"], ready.card["name"]) == (variant, "Tiny-Chat")
    assert len(ready.program.weights) >= 3 + 9 * tiny_model.LAYERS - 1


@pytest.mark.parametrize("architecture", MORE)
def test_every_architecture_is_prepared(architecture):
    encodes = architecture in ENCODERS
    ready = prepared(sound_of(architecture), encoder=encodes)
    assert ready.card["architecture"] == architecture
    assert {*MORE, "llama"} == set(ARCHITECTURES)


def test_an_encoder_is_taken_for_nothing_else():
    for file, encoder, code in (
        (sound_of("bert"), False, "encoder_model"),
        (sound(), True, "no_encoder"),
    ):
        with pytest.raises(Refused) as refused:
            prepared(file, encoder=encoder)
        assert refused.value.code == code


@pytest.mark.parametrize(
    ("key", "kind", "value", "code"),
    [
        (b"bert.pooling_type", U32, 4, "unknown_architecture"),  # ranks
        (b"bert.attention.causal", BOOL, True, "unknown_architecture"),
        (b"bert.context_length", U32, 65, "wrong_shape"),  # of the rows of positions
    ],
)
def test_what_no_encoder_of_ours_is(key, kind, value, code):
    with pytest.raises(Refused) as refused:
        prepared(sound_of("bert").with_value(key, kind, value), encoder=True)
    assert refused.value.code == code


def test_a_text_goes_through_an_encoder_in_one_step():
    program = prepared(sound_of("bert"), encoder=True, context=40).program
    assert (program.context, program.chunk) == (40, 40)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Llama-3.2-1B-Instruct"),
        ("a/b/Tiny_f16.gguf", "Tiny"),
        ("Model-BF16.gguf", "Model"),
        ("Model-UD-IQ2_XXS.gguf", "Model"),
        ("Q4_0.gguf", "Q4_0"),
        ("My\u202eModel\n.gguf", "MyModel"),
        ("x" * 500, "x" * 100),
        (None, "Sound"),
        (".gguf", "Sound"),
    ],
)
def test_the_name_on_the_card(name, shown):
    assert prepared(sound(), name=name).card["name"] == shown


def test_a_file_that_says_little_is_enough():
    card = prepared(replace(sound(), metadata=sound().metadata[:1] + sound().metadata[2:])).card
    assert (card["name"], card["license"], card["languages"]) == ("llama", None, [])


@pytest.mark.parametrize(("wanted", "given"), [(None, 64), (32, 32), (1000, 64), (1, 1)])
def test_the_context_stays_within_what_the_model_was_made_for(wanted, given):
    assert prepared(sound(), context=wanted).program.context == given


def test_a_long_context_is_halved_until_its_cache_fits():
    long = sound().with_value(b"llama.context_length", U32, 1 << 20)
    assert prepared(long).program.context == CONTEXT
    assert prepared(long, context=8192).program.context == 8192


def test_every_end_of_turn_is_found():
    file = sound().with_value(b"tokenizer.ggml.eot_token_id", U32, 3)
    texts = [b"a", b"<|im_end|>", b"b", b"c", b"</s>", b"d", b"e", b"f"]
    file = file.with_value(b"tokenizer.ggml.tokens", ARRAY, (STRING, texts))
    kinds = [1, 3, 1, 1, 4, 1, 1, 1]
    file = file.with_value(b"tokenizer.ggml.token_type", ARRAY, (I32, kinds))
    tokenizer = prepared(file).tokenizer
    assert tokenizer["end_of_turn"] == [0, 1, 3, 4]
    assert tokenizer["special"] == [[1, "<|im_end|>"], [4, "</s>"]]


@pytest.mark.parametrize(
    ("pre", "said", "add"),
    [(b"smollm", None, False), (b"llama-bpe", None, True), (b"llama-bpe", 0, False)],
)
def test_who_begins_with_bos(pre, said, add):
    file = sound().with_value(b"tokenizer.ggml.pre", STRING, pre)
    if said is not None:
        file = file.with_value(b"tokenizer.ggml.add_bos_token", BOOL, said)
    assert prepared(file).tokenizer["add_bos"] is add
