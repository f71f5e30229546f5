"""Graphs that a person opens: the picture, values from what was typed, what comes out for eyes, and
the player (the workshop is played here: its own answers are judged in tests/browser/)."""

import asyncio
import base64
import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onglet.browser.bridge import StandIn
from onglet.engine.errors import Refused
from onglet.engine.onnx import Value
from onglet.engine.onnx_file import Node
from onglet.graphs import outputs, values
from onglet.graphs.picture import HEIGHT, MOST, picture
from onglet.graphs.player import Player
from onglet.graphs.values import Given, Sizes, arrays

names = st.sampled_from("abcdef")
nodes = st.builds(
    Node,
    names,
    st.just(""),
    st.lists(names, max_size=3).map(tuple),
    st.lists(names, max_size=2).map(tuple),
)


@settings(deadline=None)
@given(st.lists(names, max_size=3), st.lists(nodes, max_size=12), st.lists(names, max_size=2))
def test_any_graph_is_drawn_with_each_box_below_what_it_needs(inputs, graph, results):
    drawn = picture(inputs, graph, results)
    for _, bottom, _, top in drawn["lines"]:
        assert bottom < top
    rows = {}
    for _, _, x, y, width in drawn["boxes"]:
        assert x >= 0 and x + width <= drawn["width"] + 1e-6 and y + HEIGHT <= drawn["height"]
        rows.setdefault(y, []).append((x, x + width))
    for row in rows.values():
        row.sort()
        assert all(left[1] < right[0] for left, right in itertools.pairwise(row))


def test_a_large_graph_is_drawn_in_part():
    chain = [Node("Add", "", (str(place),), (str(place + 1),)) for place in range(MOST + 5)]
    assert picture(["0"], chain, [])["left_out"] == 5


def made(given, *inputs, cut=(7, 8, 9)):
    async def pixels(file, width, height):
        return bytes([255, 0, 0, 255]) * (width * height)

    async def tokens(text):
        return list(cut)

    return asyncio.run(arrays(inputs, given, Sizes(), pixels, tokens))


IDS = Value("ids", "int64", ("batch", "sequence"))
MASK = Value("mask", "int64", ("batch", "sequence"))
ROW = Value("x", "float32", ("n", 3))


def test_free_sizes_follow_from_what_is_given():
    found = made({"ids": Given("some words"), "mask": Given("1")}, MASK, IDS)
    assert found["ids"].tolist() == [[7, 8, 9]]
    assert found["mask"].tolist() == [[1, 1, 1]]
    assert list(found) == ["mask", "ids"]
    assert made({"x": Given("1 2 3; 4 5 6")}, ROW)["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert made({"x": Given("0.5")}, ROW)["x"].tolist() == [[0.5, 0.5, 0.5]]
    assert made({}, ROW)["x"].shape == (1, 3)


@pytest.mark.parametrize(
    ("value", "said", "reason"),
    [(ROW, "1 2", "count"), (ROW, "words", "text"), (IDS, "1 2 1e400", "type"),
     (Value("x", "float32", (1 << 20, 1 << 20)), "0", "size")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value, said, reason):
    with pytest.raises(Refused) as refused:
        made({value.name: Given(said)}, value)
    assert (refused.value.code, refused.value.values["reason"]) == ("graph_input", reason)


class File:
    """A JavaScript `File`."""

    def __init__(self, data=b""):
        self.data = data

    async def arrayBuffer(self):
        return self

    def to_bytes(self):
        return self.data


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((1, 3, 8, 6), (1, 3, 8, 6)), (("n", "h", "w", 3), (1, 224, 224, 3)), ((1, 4, 4), (1, 4, 4))],
)
def test_a_picture_takes_the_shape_of_its_input(shape, wanted):
    value = Value("x", "uint8", shape)
    found = made({"x": Given("", File(), "a.png")}, value)["x"]
    assert found.shape == wanted
    assert found.max() == (85 if 1 in wanted[-3:] else 255)  # grey; red


def test_a_table_gives_its_numbers():
    file = File(b"a;b;c\n1;2;3\n4;5;6\n")
    assert made({"x": Given("", file, "t.csv")}, ROW)["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(Refused):
        made({"x": Given("", File(b"1,2\n3,word\n"), "t.csv")}, ROW)


@given(st.text())
def test_any_text_is_numbers_or_none(said):
    found = values.numbers(said)
    assert found is None or all(isinstance(each, (int, float)) for each in found)


def test_outputs_are_written_for_eyes():
    told = outputs.shown("y", np.array([[0.1, 0.7, 0.2]], np.float32))
    assert (told["shape"], told["best"][0][0]) == ([1, 3], 1)
    assert told["facts"]["greatest"] == pytest.approx(0.7)
    assert outputs.shown("y", np.array(["a"], object))["first"] == ["a"]
    assert outputs.shown("y", np.array([np.nan, 1.0]))["facts"] is None
    assert outputs.shown("y", np.zeros((0, 3)))["facts"] is None


def test_what_has_the_shape_of_a_picture_is_one():
    grey = np.arange(80.0).reshape(1, 1, 8, 10)
    (_, data) = outputs.shown("y", grey)["picture"].split(",")
    file = base64.b64decode(data)
    assert file[16:24] == (10).to_bytes(4, "big") + (8).to_bytes(4, "big")
    begin = file.index(b"IDAT") + 4
    rows = zlib.decompress(file[begin : file.index(b"IEND") - 8])
    assert (len(rows), rows[0], rows[1], rows[-1]) == (8 * 11, 0, 0, 255)
    assert outputs.picture(np.zeros((3, 8, 8)))
    assert outputs.picture(np.zeros((2, 8, 8))) == ""


class Shop:
    """The service `workshop`: forgets everything when `asleep`."""

    def __init__(self):
        self.open, self.given, self.asked = False, [], []

    def __call__(self, task, job, arguments, file):
        self.asked.append(job)
        if job == "open_graph":
            self.open = True
            return {"value": {"inputs": [], "outputs": []}}
        if job == "give_graph":
            self.given.append(arguments["input"])
            return {"value": None}
        if job == "run_graph" and not (self.open and set(arguments["files"]) <= set(self.given)):
            return {"error": {"code": "graph_closed", "values": {}}}
        return {"value": {"outputs": []}}


def test_a_workshop_that_rested_opens_the_graph_again():
    async def body():
        shop = Shop()
        player = Player()
        player.start(StandIn(workshop=shop, pick_documents=lambda: [file("p.png")]))
        await player.open(file("g.onnx"))
        await player.give("x")
        shop.open, shop.given = False, []
        await player.run({})
        assert player.result == {"outputs": []}
        assert player.problem is None
        assert shop.asked[-4:] == ["run_graph", "open_graph", "give_graph", "run_graph"]

    asyncio.run(body())


def file(name):
    return {"key": name, "name": name, "bytes": 10}
