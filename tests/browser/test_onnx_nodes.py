"""The `onnx` package's own tests of operators, through `Session.run` in the real browser: what the
runtime takes must agree with the stored outputs, what it does not take must be refused."""

import os
from collections import Counter

from onglet_build.driver import App
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS
from tests import onnx_nodes
from tests.browser.workshop_driver import Workshop

LEAST = {False: 240, True: 1360}  # of 351, of 1876
FULL = bool(os.environ.get("ONGLET_FULL"))
SAMPLE = (
    *("add", "argmax", "cast", "concat", "conv", "dequantizelinear", "einsum", "gather", "gemm"),
    *("gridsample", "if_", "layernormalization", "loop", "lstm", "matmul", "maxpool", "nonzero"),
    *("pad", "quantizelinear", "resize", "scan", "softmax", "string_concat", "topk", "where"),
)

# What the runtime runs but answers otherwise: by chance, near zero, or by an older reading.
OTHERWISE = {
    **dict.fromkeys(("dft", "stft"), "errors near zero above the 1e-7 that is allowed"),
    "training_dropout": "drawn by chance",
    "maxunpool_export_with_output_shape": "places counted in the larger shape",
    "resize_downsample_scales_linear_align_corners": "corners aligned as before version 19",
    "resize_downsample_scales_cubic_align_corners": "corners aligned as before version 19",
    "attention_4d_causal_fp16": "rounded in half precision",
    "attention_4d_with_past_and_present_qk_matmul_bias_": "infinite where a mask is",
}

RUN = """
import io, zipfile
import numpy as np
from onglet.browser import workbench
from onglet.engine import onnx
from onglet.engine.errors import Refused

archive = zipfile.ZipFile(io.BytesIO(await workbench.read_site("nodes/cases.zip")))

def sets(data):
    keys = [key.split() for key in data if key != "near"]
    return sorted({place.split(".")[0] for _, place in keys})

def values(data, kind, number):
    keys = [key for key in data if key.startswith(f"{kind} {number}.")]
    return [data[key] for key in sorted(keys, key=lambda key: int(key.split(".")[1]))]

def compare(found, wanted, near):
    assert found.shape == wanted.shape, f"shape {found.shape}, not {wanted.shape}"
    if wanted.dtype.kind in "OU":
        assert found.tolist() == wanted.tolist(), "texts"
        return
    assert found.dtype == wanted.dtype, f"type {found.dtype}, not {wanted.dtype}"
    np.testing.assert_allclose(found, wanted, rtol=near[0], atol=near[1])

async def run(name):
    data = np.load(io.BytesIO(archive.read(name + ".npz")), allow_pickle=True)
    session = await onnx.load(archive.read(name + ".onnx"))
    try:
        for number in sets(data):
            given = values(data, "in", number)
            feeds = {value.name: each for value, each in zip(session.inputs, given, strict=True)}
            found = await session.run(feeds)
            wanted = values(data, "out", number)
            for value, each in zip(session.outputs, wanted, strict=True):
                compare(found[value.name], each, data["near"])
    finally:
        await session.close()

told = {}
for name in names:
    try:
        await run(name)
        told[name] = ["agrees", ""]
    except Refused as refused:
        why = refused.values.get("reason") or refused.values
        told[name] = ["refused", f"{refused.code} {why}"]
    except Exception as error:
        told[name] = ["differs", type(error).__name__ + " " + str(error)[:300]]
return told
"""


def test_operators_do_what_their_authors_say(new_context, site, tmp_path, watch):
    watch.provoked = True  # the runtime says on the console what it does not know
    wanted = onnx_nodes.modules() if FULL else SAMPLE
    names = onnx_nodes.write(tmp_path / "cases.zip", wanted)
    with Loopback({"/": site, "/nodes/": tmp_path}, headers=HEADERS) as host:
        page = new_context(host).new_page()
        workshop = Workshop(App(page, host.url + "?model=none").open().wait_live().page)
        told = workshop.python(RUN, names=names)
    assert len(told) == len(names)
    known = tuple(f"test_{name}" for name in OTHERWISE)
    wrong = {name: why for name, (how, why) in told.items() if how == "differs"}
    assert {name: why for name, why in wrong.items() if not name.startswith(known)} == {}
    assert all(why for how, why in told.values() if how == "refused")
    counts = Counter(how for how, _ in told.values())
    assert counts["agrees"] >= LEAST[FULL], counts
