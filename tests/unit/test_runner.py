"""What runs inside the sandbox, here in plain Python: values, tables, output, errors."""

import asyncio
import base64
import json

import pytest

from onglet.sandbox import programs, runner


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda code, **files: programs.read(asyncio.run(runner.run(code, json.dumps(files))))


def test_output_and_the_last_value_come_back(run):
    told = run("print('a')\nx = 6\nx * 7")
    assert (told.text, told.value, told.error) == ("a\n", "42", "")
    assert run("x = 1").value == ""


@pytest.mark.parametrize(
    ("code", "columns", "rows"),
    [
        ("[{'a': 1}, {'b': 2}]", ("a", "b"), (("1", ""), ("", "2"))),
        ("[(1, 2), (3, 4)]", (), (("1", "2"), ("3", "4"))),
        ("{'mean': 2.5, 'n': 3}", (), (("mean", "2.5"), ("n", "3"))),
        ("import numpy as np; np.eye(2)", (), (("1.0", "0.0"), ("0.0", "1.0"))),
        ("[1, 2]", (), ()),
        ("[(1, 2), (3,)]", (), ()),
        ("'text'", (), ()),
        ("import asyncio\nawait asyncio.sleep(0, {'a': 1})", (), (("a", "1"),)),
    ],
)
def test_what_is_a_table_comes_as_one(run, code, columns, rows):
    told = run(code)
    assert (told.columns, told.rows) == (columns, rows)


def test_a_file_is_in_the_folder(run):
    code = "from pathlib import Path\nPath('shop.csv').read_text().splitlines()[1]"
    assert run(code, **{"shop.csv": "a,b\n1,2"}).value == "1,2"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\n1 / 0", 'File "program.py", line 2'),
        ("x =", "SyntaxError"),
        ("raise SystemExit(3)", "ended itself: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): f()\nf()", "RecursionError"),
        ("class A:\n    def __repr__(self): raise ValueError('no')\nA()", "ValueError: no"),
    ],
)
def test_an_error_says_where_and_keeps_what_was_printed(run, code, said):
    told = run(f"print('before')\n{code}" if code != "x =" else code)
    assert said.replace("line 2", "line 3") in told.error
    assert "runner.py" not in told.error


def test_results_are_small_whatever_the_program_does(run):
    assert len(run("print('x' * 10**6)\nfor _ in range(10**5): print(1)").text) <= 21_000
    assert len(run("'x' * 10**6").value) <= 21_000
    told = run("[[str(k) * 1000] * 50 for k in range(1000)]")
    assert len(told.rows) == 200 and len(told.rows[0]) == 20 and len(told.rows[0][0]) == 200


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("import math", []),
        ("import numpy as np", ["numpy"]),
        ("def f():\n    from matplotlib.pyplot import plot", ["numpy", "matplotlib"]),
        ("import numpy, matplotlib.pyplot as plt, os.path", ["numpy", "matplotlib"]),
        ("import (", []),
        ("\0", []),
    ],
)
def test_what_a_program_needs_is_read_from_it(code, needed):
    assert sorted(programs.packages(code)) == sorted(needed)
    if "matplotlib" in needed:
        assert programs.packages(code).index("numpy") == 0


GOOD = {"text": "", "value": "", "error": None, "table": None, "figures": []}
WRONG = [
    "", "null", "[]", "{}", "[" * 100_000,
    *(
        json.dumps(GOOD | change)
        for change in (
            {"text": 1}, {"error": {"a": 1}}, {"table": [1]}, {"table": {"columns": 3, "rows": []}},
            {"table": {"columns": [], "rows": [[1]]}}, {"figures": ["x"]}, {"figures": [3]},
            {"figures": [base64.b64encode(b"<svg onload=alert(1)>").decode()]},
            {"figures": ["A" * 3_000_000]},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("told", WRONG)
def test_what_the_sandbox_tells_is_not_believed(told):
    with pytest.raises(programs.Refused, match="sandbox_failed"):
        programs.read(told)
