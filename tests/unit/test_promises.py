"""Each promise on the privacy page has its sentences and a test that is really there."""

import re

import pytest

from onglet.promises import PROMISES
from onglet.words import TABLES
from onglet_build.places import ROOT


@pytest.mark.parametrize("name", PROMISES)
def test_each_promise_names_a_test_that_exists(name):
    path, _, test = PROMISES[name].partition("::")
    assert (ROOT / path).is_file(), path
    found = re.search(rf"^(?:async )?def {test or 'test_'}", (ROOT / path).read_text(), re.M)
    assert found, PROMISES[name]


@pytest.mark.parametrize("language", TABLES)
def test_each_promise_has_its_words(language):
    keys = {f"privacy.promise.{name}" for name in PROMISES}
    assert keys <= set(TABLES[language])
