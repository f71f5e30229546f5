import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onglet.engine.errors import Refused
from onglet.library.hub import model_files, quantization_of, read_address

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("text", "repository", "revision", "path"),
    [
        ("org/model-GGUF", "org/model-GGUF", "main", ""),
        ("org/model@v1.0", "org/model", "v1.0", ""),
        ("https://huggingface.co/org/model", "org/model", "main", ""),
        ("https://huggingface.co/org/model/tree/dev", "org/model", "dev", ""),
        ("https://huggingface.co/org/m/resolve/main/a/b.gguf?x=1", "org/m", "main", "a/b.gguf"),
        ("https://huggingface.co/org/m/blob/main/b%20c.gguf", "org/m", "main", "b c.gguf"),
        ("https://mirror.example/org/m", "org/m", "main", ""),
        ("https://host.example/file.gguf", "", "main", ""),
        ("https://host.example/org/file.gguf", "", "main", ""),
        ("http://127.0.0.1:9000/org/m", "org/m", "main", ""),
    ],
)
def test_addresses(text, repository, revision, path):
    address = read_address(text)
    assert (address.repository, address.revision, address.path) == (repository, revision, path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "model", "http://host.example/a.gguf", "https://user:pw@host.example/a/b"),
        *("file:///etc/x", "javascript:alert(1)", "https://", "https://host.example/"),
        *("https://[bad/a.gguf", "data:,x"),
    ],
)
def test_what_is_no_address(text):
    with pytest.raises(Refused, match="bad_address"):
        read_address(text)


@given(st.text(max_size=200))
def test_any_text_is_an_address_or_refused(text):
    try:
        address = read_address(text)
    except Refused as refused:
        assert refused.code == "bad_address"
    else:
        assert address.url.startswith(("https://", "http://"))


def test_a_branch_with_a_slash_and_spaces_in_names():
    address = read_address("https://huggingface.co/o/m").file("a b/c#d.gguf")
    assert address.url == "https://huggingface.co/o/m/resolve/main/a%20b/c%23d.gguf"
    assert address.name == "c#d.gguf"
    assert address.leads == ["huggingface.co", "hf.co"]


def row(path="m-Q4_0.gguf", size=10, **more):
    return {"type": "file", "path": path, "size": size, **more}


def test_files_of_a_repository():
    rows = [
        row("m-Q8_0.gguf", 134, lfs={"oid": SHA, "size": 900}),
        row("m-Q4_K_M.gguf", 500),
        row("README.md"),
        row("m-Q4_0-00001-of-00002.gguf"),
        {"type": "directory", "path": "x.gguf"},
    ]
    files = model_files(json.dumps(rows))
    assert [(file.path, file.bytes, file.sha256) for file in files] == [
        ("m-Q4_K_M.gguf", 500, None),
        ("m-Q8_0.gguf", 900, SHA),
    ]
    assert [file.quantization for file in files] == ["Q4_K_M", "Q8_0"]


@pytest.mark.parametrize(
    "hostile",
    [
        row("../../x.gguf"),
        row("a\nb.gguf"),
        row("x" * 400 + ".gguf"),
        row(size=-1),
        row(size="9"),
        row(size=True),
        row(size=1 << 60),
        row(path=7),
        7,
        None,
    ],
)
def test_hostile_rows_are_left_out(hostile):
    good = row("good-F16.gguf", lfs={"oid": "zz", "size": 5})
    files = model_files(json.dumps([hostile, good]))
    assert [(file.path, file.sha256) for file in files] == [("good-F16.gguf", None)]


@pytest.mark.parametrize("text", ["", "<html>", "{}", "7", "[" * 100_000])
def test_what_is_no_list(text):
    with pytest.raises(Refused, match="bad_hub_answer"):
        model_files(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "path", "size", "lfs", "oid", "x"]), inner)
    ),
    max_leaves=20,
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("file") | JSON,
        "path": st.text(max_size=20).map(lambda name: f"{name}.gguf") | JSON,
        "size": st.integers(-1, 1 << 70) | JSON,
        "lfs": st.fixed_dictionaries({"oid": JSON, "size": st.integers(0, 99) | JSON}) | JSON,
    },
)


@given(st.lists(ROW | JSON, max_size=6) | JSON)
def test_any_answer_of_a_hub_is_checked(answer):
    try:
        files = model_files(json.dumps(answer))
    except Refused as refused:
        assert refused.code in ("bad_hub_answer", "no_gguf")
    else:
        for file in files:
            assert file.path.isprintable() and file.path.lower().endswith(".gguf")
            assert type(file.bytes) is int and 0 < file.bytes < 1 << 43
            assert file.sha256 is None or len(file.sha256) == 64


def test_no_model_files():
    with pytest.raises(Refused, match="no_gguf"):
        model_files("[]")


def test_quantization_in_names():
    names = {"m-Q4_K_M.gguf": "Q4_K_M", "M.IQ4_XS.gguf": "IQ4_XS", "m-f16.gguf": "F16"}
    names |= {"m-UD-Q2_K_XL.gguf": "UD-Q2_K_XL", "Qwen-3B.gguf": "", "m-bf16.gguf": "BF16"}
    assert {name: quantization_of(name) for name in names} == names
