"""The tools of agents: what they give, what they refuse, what they read in a question."""

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from onglet.agents import calls, schema
from onglet.agents.tools import PERMISSIONS, Here, Tool, known, table
from onglet.agents.tools.calculator import calculator
from onglet.agents.tools.convert import UNITS, convert
from onglet.documents.search import search
from onglet.sandbox import programs, runner
from onglet.vault.papers import Papers
from onglet.vault.schema import migrate
from onglet.vault.store import FileStore
from onglet_build.places import PY, ROOT

SALES = "region,units,price\nNorth,12,3.5\nSouth,7,4\nNorth,5,2.25\n"
ALL = tuple(known().values())


class Notes:
    def __init__(self, *texts: str):
        self.said = list(texts)

    async def add(self, text: str) -> None:
        self.said.append(text)

    async def texts(self) -> list[str]:
        return self.said


def place(*notes: str) -> Here:
    return Here(datetime(2026, 11, 23, 14, 5), Notes(*notes), {"sales.csv": SALES})


def use(tool: str, here: Here | None = None, **arguments) -> str:
    return asyncio.run(known()[tool].run(arguments, here or place()))


def test_every_file_is_a_tool_with_words_and_examples_that_fit_its_signature():
    files = {path.stem for path in (PY / "onglet/agents/tools").glob("*.py")} - {"__init__"}
    assert set(known()) == files
    for tool in ALL:
        assert tool.purpose and tool.permission in PERMISSIONS
        assert tool.permission == "ask" or not tool.writes
        assert schema.problem(tool.schema()) == ""
        for _, arguments in tool.examples:
            assert set(arguments) <= set(tool.parameters)


async def kept() -> Papers:
    """Two documents in a real store."""
    store = FileStore()
    await migrate(store)
    papers = Papers(store)
    for id, name, page, text in (
        ("a", "house.pdf", 3, "The spare key hangs behind the blue door. " + "Other words. " * 60),
        ("b", "car.md", None, "Long before. " * 50 + "The warranty ends in May 2031. It is red."),
    ):
        sql = "INSERT INTO document (id, name, bytes, created, ready) VALUES (?, ?, 1, 1.0, 1.0)"
        row = """INSERT INTO passage (document, place, page, headings, text, vector)
            VALUES (?, 0, ?, '', ?, '')"""
        await store.write([sql, id, name], [row, id, page, text])
    return papers


@pytest.mark.parametrize(
    ("question", "about", "found"),
    [
        (
            "What do my documents say about the warranty?",
            "the warranty",
            "car.md: “The warranty ends",
        ),
        (
            "Where is the spare key, according to my files?",
            "spare key",
            "house.pdf, page 3: “The spare",
        ),
        ("Find the spare key in my documents", "spare key", "blue door"),
    ],
)
def test_documents_are_looked_into(question, about, found):
    (reading,) = known()["lookup"].readings(question, place())
    assert about in reading["about"]

    async def look() -> str:
        papers = await kept()
        here = Here(datetime(2026, 11, 23), search=lambda asked: search(papers, asked, ["a", "b"]))
        return await known()["lookup"].run(reading, here)

    said = asyncio.run(look())
    assert found in said and len(said) < 800


def test_a_lookup_without_documents_says_so():
    with pytest.raises(ValueError, match="no documents"):
        use("lookup", about="x")
    for question in (
        "What is 2 + 2?",
        "Look in my notes for the key",
        "Who wrote the file format?",
    ):
        assert known()["lookup"].readings(question, place()) == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0.1 + 0.2", "0.3"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("2 ^ 3", "8"),
        ("-3 - -4", "1"),
        ("sqrt(2)", "1.414213562"),
        ("1,000 * 3", "3000"),
        ("1 / 3", "0.3333333333"),
        ("cbrt(27)", "3"),
    ],
)
def test_the_calculator_is_exact_where_it_can_be(expression, value):
    assert calculator(expression) == f"{expression} = {value}"


@given(some.text(alphabet="0123456789.+-*/() sqrtx_,^e", max_size=60))
@example("9 ** 9 ** 9")
@example("__import__('os')")
@example("1 / 0")
@example("sqrt(-1)")
@example("(" * 150 + "1" + ")" * 150)
@example("True + 1")
@example("1e999")
def test_the_calculator_gives_a_number_or_a_sentence(expression):
    try:
        assert calculator(expression).startswith(f"{expression} = ")
    except ValueError as error:
        assert str(error).endswith(".")


@given(some.sampled_from(sorted(UNITS)), some.sampled_from(sorted(UNITS)), some.floats(1, 1e6))
def test_units_go_there_and_back(unit, to, amount):
    if UNITS[unit][0] != UNITS[to][0]:
        with pytest.raises(ValueError, match="cannot be converted"):
            convert(amount, unit, to)
    elif UNITS[unit][0] != "temperature":
        ratio = UNITS[unit][1] / UNITS[to][1]
        assert ratio * (UNITS[to][1] / UNITS[unit][1]) == pytest.approx(1)
        assert " = " in convert(amount, unit, to)


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"amount": -40, "unit": "celsius", "to": "fahrenheit"}, "-40 degrees Celsius = -40 deg"),
        ({"amount": 1, "unit": "mile", "to": "foot"}, "1 mile = 5280 feet"),
        ({"amount": 90, "unit": "kilometer per hour", "to": "meter per second"}, "= 25 meters per"),
        ({"amount": 1, "unit": "milligram", "to": "pound"}, "1 milligram = 2.205e-06 pounds"),
    ],
)
def test_units(arguments, result):
    assert result in use("convert", **arguments)


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({}, "Monday 2026-11-23, 14:05"),
        ({"days": 30}, "Wednesday 2026-12-23"),
        ({"start": "2024-02-28", "days": 1}, "Thursday 2024-02-29"),
        ({"start": "2026-03-01", "end": "2026-01-01"}, "-59 days from Sunday 2026-03-01 to"),
    ],
)
def test_dates(arguments, result):
    assert use("date", **arguments).startswith(result)


@pytest.mark.parametrize("arguments", [{"start": "2026-02-30"}, {"days": 10**9}, {"start": "x"}])
def test_days_that_are_none_are_refused_in_a_sentence(arguments):
    with pytest.raises(ValueError, match=r"\.$"):
        use("date", **arguments)


def test_what_is_remembered_is_found_by_its_words():
    here = place("the car is on level 3", "Tom likes tea")
    assert use("remember", here, note="the  spare\nkey is at Maria's") == (
        "Noted: the spare key is at Maria's"
    )
    assert use("recall", here, about="spare keys") == "The notes say: the spare key is at Maria's"
    assert "nothing about" in use("recall", here, about="wifi")
    with pytest.raises(ValueError, match="Nothing can be kept"):
        use("remember", Here(datetime.now()), note="x")


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ({"what": "sum", "column": "units"}, "24"),
        ({"what": "sum", "column": "units", "where": "region = north"}, "17"),
        ({"what": "average", "column": "price"}, "3.25"),
        ({"what": "highest", "column": "price"}, "4"),
        ({"what": "count"}, "3 rows"),
    ],
)
def test_tables(arguments, number):
    assert number in use("table", name="sales.csv", **arguments)


def test_a_table_in_a_message_is_told_from_its_words():
    text, tables = table.taken_out(f"What is the sum of units in this?\nsales.csv\n{SALES}")
    assert text == "What is the sum of units in this?\nsales.csv"
    assert tables == {"sales.csv": SALES}
    assert table.taken_out("a; b\nc; d\ne; f")[1] == {"table": "a,b\nc,d\ne,f\n"}
    prose = "Dear Tom, hello.\nI came, I saw.\nBye."
    assert table.taken_out(prose) == (prose, {})


@given(some.text(max_size=80))
@example("What is 3,5 * 2?")
@example("5 in to cm, 3 oz to g and 2026-13-45")
@example("how many days until february 30")
@example("99999999999999999999 days ago date")
@example("date 9999 years from now")
def test_whatever_is_read_in_a_question_is_a_call_that_can_be_run(question):
    here = place()
    choice = calls.choice(question, ALL, here)
    assert schema.problem(choice.grammar()["schema"]) == "" or not choice.calls
    for tool in choice.tools:
        for arguments in tool.readings(question, here):
            try:
                assert use(tool.name, here, **arguments)
            except ValueError as error:
                assert str(error)


@pytest.mark.parametrize(
    ("question", "readings"),
    [
        ("Give me 7 squared plus 1", ["(7 ** 2) + 1"]),
        ("What is the square root of 529?", ["sqrt(529)"]),
        ("How much is 15% of 240?", ["15 / 100 * 240"]),
        ("5 minus 3 squared", ["5 - (3 ** 2)"]),
        ("Divide 10 by 4", ["10 / 4"]),
        ("Call me at 10:30 on 2026-12-25", []),
    ],
)
def test_a_reading_leaves_no_number_out(question, readings):
    read = known()["calculator"].readings(question, place())
    assert [each["expression"] for each in read] == readings


def test_an_amount_in_two_units_is_not_read_as_one():
    convert = known()["convert"]
    assert convert.readings("6 foot 2 in cm", place()) == []
    hours = {"amount": 2.5, "unit": "hour", "to": "minute"}
    assert convert.readings("How many minutes is 2.5 hours?", place()) == [hours]


def greet(name: str, loud: bool = False) -> str:
    """Says hello to a person."""
    return f"Hello, {name}{'!' if loud else '.'}"


GREET = Tool("greet", 1, "Says hello to a person.", greet, "free", False, (), None)


def test_a_tool_without_rules_is_offered_by_its_words_and_may_be_declined():
    choice = calls.choice("Please say hello to Tom", (GREET,), place())
    assert [each["properties"]["tool"]["const"] for each in choice.calls] == ["greet", "answer"]
    assert choice.calls[0]["properties"]["arguments"] == GREET.schema()
    assert GREET.schema()["required"] == ["name"]
    assert calls.choice("What is a black hole?", (GREET,), place()).calls == ()


def test_a_call_is_read_back_as_it_was_written():
    call = calls.Call("greet", {"name": 'a "quoted" name'})
    assert calls.parsed(call.written()) == call
    assert calls.parsed(json.dumps({"tool": "answer"})) is None


class Programs:
    """The runner of the sandbox, without its walls."""

    def __init__(self, folder):
        self.folder = folder

    async def run(self, code: str, files: dict[str, str]):
        with contextlib.chdir(self.folder):
            return programs.read(await runner.run(code, json.dumps(files)))


PROGRAMS = [
    (
        "Draw a bar chart: apples 4, pears 7, plums 2",
        "3 values, from 2 to 7",
        ["apples", "plt.bar"],
    ),
    ("Plot 3, 5, 8, 13 and 21", "5 values, from 3 to 21", ["plt.plot"]),
    ("Show a pie chart of rent 800, food 350, bus 60", "3 values, from 60 to 800", ["plt.pie"]),
    ("Make a histogram of 1, 2, 2, 3, 3, 3, 9", "7 values, from 1 to 9", ["plt.hist"]),
    ("Plot sin(x) from 0 to 3", "From x = 0 to 3, y goes from 0 to 1", ["np.linspace(0, 3"]),
    ("Graph y = 2x^2 - 1", "From x = -10 to 10, y goes from -0.9987 to 199", ["2*x**2"]),
    ("Plot units by region in sales.csv", "North: 17, South: 7", ["'sales.csv'", "plt.bar"]),
    ("What is the median of 4, 8, 15, 16, 23, 42?", "The median of 6 values is 15.5", []),
    (
        "standard deviation of 2, 4, 4, 4, 5, 5, 7, 9",
        "The standard deviation of 8 values is 2.1",
        [],
    ),
    ("Run:\n```python\nprint(6 * 7)\n```", "Result: 42", []),
]


@pytest.mark.parametrize(("question", "result", "parts"), PROGRAMS)
def test_programs_are_made_from_questions_and_run(question, result, parts, tmp_path):
    here = replace(place(), programs=Programs(tmp_path))
    tool = known()["python"]
    ((reading),) = tool.readings(question, here)
    assert all(part in reading["code"] for part in parts)
    if "import matplotlib" in reading["code"]:  # not here; the browser's tests draw
        compile(reading["code"], "program.py", "exec")
    else:
        told = asyncio.run(tool.run(reading, here))
        assert told.text.startswith(result)


def test_a_program_is_not_written_out_by_the_model():
    """It would take minutes and end at the limit of tokens; there is nothing to choose."""
    python = known()["python"]
    question = "Plot units by region in sales.csv"
    call = calls.choice(question, [python], place()).too_long()
    assert call.tool == "python" and [call.arguments] == python.readings(question, place())
    assert calls.choice("What is 2 + 2?", ALL, place()).too_long() is None
    assert calls.choice("Use Python to count to 10", [python], place()).too_long() is None


def test_labels_and_thousands_are_read_as_people_write_them():
    questions = (
        ("Bar chart of Mon 3, Tue 5 and Wed 8", "['Mon', 'Tue', 'Wed']"),
        ("Plot 1,200, 1,350 and 900", "[1200, 1350, 900]"),
        ("Plot 100,200,300", "[100, 200, 300]"),
    )
    for question, part in questions:
        ((reading),) = known()["python"].readings(question, place())
        assert part in reading["code"]


def test_none_of_the_cases_for_other_tools_is_taken_for_a_program():
    cases = json.loads((ROOT / "tests" / "tools" / "cases.json").read_text())["cases"]
    assert [c for c in cases if known()["python"].readings(c["ask"], place())] == []


@pytest.mark.parametrize(
    "question",
    [
        "Draw me a cat",
        "What is the plot of Hamlet?",
        "Plot x; import os from 0 to 1",
        "Hello",
        "2+2",
    ],
)
def test_no_program_is_made_of_what_holds_none(question):
    assert known()["python"].readings(question, place()) == []


def test_a_program_that_the_model_writes_is_held_to_the_signature_only():
    assert known()["python"].readings("Use Python to print the primes", place()) is None


@pytest.mark.parametrize("code", ["print('\u202e')", "x" * 5000, "1 / 0"])
def test_a_program_that_cannot_be_seen_is_too_long_or_fails_says_so(code, tmp_path):
    here = replace(place(), programs=Programs(tmp_path))
    with pytest.raises(ValueError, match=r"cannot be seen|ZeroDivisionError"):
        use("python", here, code=code)
