"""The workshop in the real browser, under the site's policy: graphs, vectors, documents."""

import base64
import json
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from onnx import TensorProto, helper

from onglet_build.driver import App
from tests.browser.workshop_driver import Workshop
from tests.manual import manual

REFERENCE = Path(__file__).parent / "embedding_reference.json"


@pytest.fixture
def workshop(new_context, server) -> Workshop:
    page = new_context(server).new_page()
    return Workshop(App(page, server.url + "?model=none").open().wait_live().page)


def small_graph(**changes) -> bytes:
    """y = x + w: floats [n, 3]."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    add = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([add], "g", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    if location := changes.get("external"):
        (tensor,) = model.graph.initializer
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
    return model.SerializeToString()


def test_a_graph_runs_and_is_closed(workshop, watch):
    told = workshop.python(
        """
import base64
import numpy as np
from onglet.engine import onnx
from onglet.engine.errors import Refused
session = await onnx.load(base64.b64decode(graph))
out = await session.run({"x": np.arange(6.0).reshape(2, 3)})
found = [[v.name, v.type, list(v.shape)] for v in (*session.inputs, *session.outputs)]
refused = []
row = [[1, 2, 3]]
for feeds in ({}, {"x": [[1, 2]]}, {"x": [1]}, {"x": [["a", "b", "c"]]}, {"x": row, "z": 1}):
    try:
        await session.run(feeds)
    except Refused as r:
        refused.append([r.code, r.values.get("reason")])
await session.close()
await session.close()
try:
    await session.run({"x": [[1, 2, 3]]})
except Refused as r:
    refused.append([r.code, None])
return {"values": found, "y": out["y"].tolist(), "type": str(out["y"].dtype), "refused": refused}
""",
        graph=base64.b64encode(small_graph()).decode(),
    )
    assert told["values"] == [["x", "float32", ["n", 3]], ["y", "float32", ["n", 3]]]
    assert told["y"] == [[1, 3, 5], [4, 6, 8]]
    assert told["type"] == "float32"
    reasons = [[code, reason] for code, reason in told["refused"]]
    assert reasons == [
        ["graph_input", "missing"], ["graph_input", "shape"], ["graph_input", "shape"],
        ["graph_input", "type"], ["graph_input", "unknown"], ["graph_closed", None],
    ]  # fmt: skip


HOSTILE = {
    "above": (small_graph(external="../../secret"), "graph_external"),
    "absolute": (small_graph(external="/etc/passwd"), "graph_external"),
    "memory": (small_graph(external="*/_ORT_MEM_ADDR_/*"), "graph_external"),
    "cut": (small_graph()[:-20], "broken_onnx"),
    "other": (b"GGUF" * 100, "not_onnx"),
    "operator": (small_graph().replace(b"Add", b"Adz"), "graph_failed"),
}


def test_hostile_graphs_are_refused(workshop, server, watch):
    """With a reason, and nothing is fetched that the site does not have."""
    watch.provoked = True  # the library says on the console that it knows no Adz
    before = len(server.log)
    found = workshop.python(
        """
import base64
from onglet.engine import onnx
from onglet.engine.errors import Refused
found = {}
for name, graph in graphs.items():
    try:
        await onnx.load(base64.b64decode(graph))
    except Refused as refused:
        found[name] = refused.code
return found
""",
        graphs={name: base64.b64encode(data).decode() for name, (data, _) in HOSTILE.items()},
    )
    assert found == {name: code for name, (_, code) in HOSTILE.items()}
    assert [path for _, path, status in server.log[before:] if status >= 400] == []
    assert watch.off_origin == []
    assert watch.violations == []


def test_vectors_are_those_of_the_original(workshop):
    """200 sentences, against the publisher's float32 weights; batches change nothing much."""
    stored = json.loads(REFERENCE.read_text())
    done = workshop.ask("embed", texts=stored["sentences"])
    bytes_of = [base64.b64decode(vector) for vector in done["value"]]
    ours = np.array([np.frombuffer(each, np.int8) for each in bytes_of], np.float32)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    theirs = np.frombuffer(base64.b64decode(stored["vectors"]), np.float16).astype(np.float32)
    theirs = theirs.reshape(len(stored["sentences"]), -1)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    cosines = (ours * theirs).sum(axis=1)
    assert len(cosines) == 200
    assert cosines.min() >= 0.99


FRENCH = """Le ministère de l’Énergie a publié, à la fin du mois d’août, un décret qui précise les
règles applicables aux installations déjà raccordées. « Il fallait, dit-il, répondre à une
inquiétude très ancienne », et l’œuvre n’est pas achevée : près de 12 500 foyers, où l’on se chauffe
au bois, attendent encore leur tour. Ça et là, des maires ont réclamé un délai ; d’autres
s’interrogent sur le coût (environ 3 450,75 € par logement) et sur l’aide prévue. Les plus âgés,
naïfs ou prudents, préfèrent garder le poêle de leurs aïeux. Être prêt dès l’hiver paraît
difficile."""
PAGE = """<body style='margin: 25mm; font: 11pt/1.4 "DejaVu Serif", serif'>{}</body>"""
A4 = {"width": 794, "height": 1123}  # pixels of 1/96 inch
FINE = 300 / 96


def errors(wanted: str, read: str) -> float:
    """Changes of single characters that make one text of the other, a character wanted."""
    wanted, read = " ".join(wanted.split()), " ".join(read.split())
    letters, places = np.array(list(read)), np.arange(len(read) + 1)
    before = places.copy()
    for number, letter in enumerate(wanted, 1):
        row = np.minimum(before[1:] + 1, before[:-1] + (letters != letter))
        before = np.minimum.accumulate(np.concatenate([[number], row]) - places) + places
    return before[-1] / len(wanted)


def test_a_picture_of_a_page_is_read(workshop, new_context, server):
    """300 dots an inch, as a browser sets it: French, and a paragraph of a manual."""
    with pypdfium2.PdfDocument(manual()) as document:
        lines = document[19].get_textpage().get_text_range().replace("\ufffe", "-").splitlines()
    english = " ".join(line for line in lines if len(line) > 110)[:700]
    with new_context(server, viewport=A4, device_scale_factor=FINE).new_page() as page:
        page.set_content(PAGE.format(f"<p>{FRENCH}</p><p>{english}</p>"))
        picture = page.screenshot(type="jpeg", quality=90)
    done = workshop.ask("read_document", "page.jpg", picture)
    assert done["kind"] == "done", done
    passages = done["value"]["passages"]
    wrong = errors(f"{FRENCH} {english}", "\n".join(text for text, *_ in passages))
    print(f"{100 * wrong:.2f} % of the characters are wrong")
    assert wrong <= 0.03
    assert all(seen and page is None for _, page, _, seen in passages)
    refused = workshop.ask("read_document", "a.png", b"no picture")
    assert refused["error"]["code"] == "broken_picture"
