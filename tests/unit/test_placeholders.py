"""The placeholders have the shape that Bokeh and Panel look for when they are imported."""

import pytest

from onglet.browser import placeholders


@pytest.fixture
def numpy():
    return placeholders.numpy_types()


def test_types_are_related_as_numpys_are(numpy):
    related = numpy["issubdtype"]
    assert related(numpy["int32"], numpy["integer"])
    assert related(numpy["uint8"], numpy["number"])
    assert related(numpy["float64"], numpy["floating"])
    assert not related(numpy["float64"], numpy["integer"])
    assert not related(numpy["datetime64"], numpy["number"])
    assert not related("int32", numpy["integer"])


def test_no_value_of_ours_is_taken_for_an_array(numpy):
    for value in (1, 1.5, "text", [1], b"bytes", None):
        assert not isinstance(value, (numpy["ndarray"], numpy["generic"]))


def test_one_type_has_one_dtype(numpy):
    dtype = numpy["dtype"]
    assert dtype(numpy["int8"]) == dtype(numpy["int8"])
    assert len({dtype(numpy["int8"]), dtype(numpy["int8"]), dtype(numpy["int16"])}) == 2
