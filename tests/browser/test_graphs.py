"""The page of graphs in one visit: a graph is opened, described, drawn, run on numbers, a picture
and a table, and timed; what is hostile ends in a sentence and leaves the page as it was."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onglet.graphs.outputs import png
from onglet_build.driver import App
from tests.browser.test_workshop import small_graph


def brightness() -> bytes:
    """(1, 3, h, w) bytes -> half of them, as floats."""
    x = helper.make_tensor_value_info("photo", TensorProto.UINT8, [1, 3, 16, 12])
    y = helper.make_tensor_value_info("darker", TensorProto.FLOAT, [1, 3, 16, 12])
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    nodes = [
        helper.make_node("Cast", ["photo"], ["light"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["light", "half"], ["darker"]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [half])
    imports = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()


RED = png(np.full((16, 12, 3), (255, 0, 0), np.uint8))


class Graphs:
    """The page as a person uses it."""

    def __init__(self, app: App):
        self.app, self.page = app, app.page

    def choose(self, key: str, name: str, data: bytes) -> None:
        kind = "image/png" if name.endswith("png") else "application/octet-stream"
        with self.page.expect_file_chooser() as chooser:
            self.page.locator(f"[data-key={key}]").filter(visible=True).first.click()
        chooser.value.set_files([{"name": name, "mimeType": kind, "buffer": data}])

    def run(self, wanted: str, *typed: str) -> None:
        """Runs on what is typed; the first output must begin with `wanted`."""
        for place, text in enumerate(typed):
            self.page.locator(f"#run-input{place}").fill(text)
        self.page.locator("[data-key=run]").filter(visible=True).click()
        result = self.page.locator("dd.code").filter(visible=True, has_text=wanted)
        result.first.wait_for(timeout=60_000)


@pytest.fixture
def graphs(open_app, server) -> Graphs:
    app = open_app(server).wait_live()
    app.page.locator("[data-key=page-graphs]").click()
    app.expect("graphs.meaning")
    return Graphs(app)


def test_a_graph_is_opened_drawn_and_run(graphs, server, watch):
    app, page, before = graphs.app, graphs.page, len(server.log)
    graphs.choose("pick", "small.onnx", small_graph())
    picture = page.locator(".graph svg")
    picture.wait_for(timeout=120_000)
    assert picture.locator("text").all_text_contents() == ["x", "Add", "y"]
    page.get_by_text("float32 [n, 3]", exact=True).filter(visible=True).wait_for()
    page.get_by_text("ai.onnx 17").filter(visible=True).wait_for()
    graphs.run("2 4 6 11 22 33", "1 2 3 10 20 30")
    app.expect("graphs.result")
    assert page.locator("#run-input0").input_value() == "1 2 3 10 20 30"

    page.locator("#run-input0").fill("1 2")
    page.locator("[data-key=run]").filter(visible=True).click()
    page.locator("p.problem").filter(visible=True).wait_for()
    app.expect("graphs.reason.count")

    graphs.choose("give", "table.csv", b"a,b,c\n0,0,0\n")
    page.get_by_text("table.csv").filter(visible=True).wait_for()
    graphs.run("1 2 3")

    graphs.choose("pick", "broken.onnx", small_graph()[:-20])
    page.locator("p.problem").filter(visible=True).wait_for()
    app.expect("error.broken_onnx")

    graphs.choose("pick", "photo.onnx", brightness())
    page.locator("#run-input0").wait_for()
    graphs.choose("give", "red.png", RED)
    page.get_by_text("red.png").filter(visible=True).wait_for()
    graphs.run("127.5 127.5 127.5")
    seen = page.locator("img.result")
    assert seen.evaluate("it => it.decode().then(() => [it.naturalWidth, it.naturalHeight])") == [
        12,
        16,
    ]
    page.locator("[data-key=close]").filter(visible=True).click()
    app.expect("graphs.drop")
    assert watch.off_origin == []
    assert [path for _, path, status in server.log[before:] if status >= 400] == []
