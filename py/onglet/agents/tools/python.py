"""Runs a Python program in the sandbox (onglet/sandbox/): figures, numbers, a pasted table, or a
program of one's own. What a small model cannot write is written here by rule, from the question:
plots of numbers, of tables and of functions, and what statistics says of numbers.
"""

import re
from collections.abc import Iterable

from onglet.agents.tools import Drawn, Here, table
from onglet.browser.safe import clean
from onglet.engine.errors import Refused

PERMISSION, WRITES = "ask", False
LONGEST = 4000  # characters of a program
GIVEN = 3000  # characters of a result
ROWS = 40  # of a table, in the words of a result
EXAMPLES = (
    ("Use Python: what is 20 factorial?", {"code": "import math\nprint(math.factorial(20))"}),
    ("With Python, print the squares of 1 to 5.", {"code": "print([n * n for n in range(1, 6)])"}),
)
FENCED = re.compile(r"```(?:python|py)?[ \t]*\n(?P<code>.*?)\n?```", re.DOTALL | re.IGNORECASE)
PROGRAM = re.compile(
    r"\b(?:with|in|use|using|run|write|execute)\b.{0,20}\b(?:python|program|code|script)\b", re.I
)
PLOT = re.compile(r"\b(?:plot|chart|graph|draw|diagram|histogram|visuali[sz]e)\b", re.IGNORECASE)
KINDS = {
    "pie": r"\bpie\b",
    "hist": r"\bhistogram\b",
    "bar": r"\bbars?\b",
    "scatter": r"\b(?:scatter|points|dots)\b",
}
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w]|\.\d)")
PAIR = re.compile(
    r"(?P<label>[^\W\d_][\w '-]{0,24}?)\s*[:=]?\s+(?P<value>[-+]?\d+(?:\.\d+)?)(?![\w])"
)
FUNCTION = re.compile(
    r"(?:\by\s*=|\bf\(x\)\s*=|\b(?:plot|graph|draw)\b(?: the)?(?: function)?(?: of)?)"
    r"\s*(?P<what>[-+*/^().\d\sa-z]*?x(?![a-z])[-+*/^().\d\sa-z]*?)"
    r"(?=\s*(?:from|between|for|on|over|as|[.?!,]?\s*$))",
    re.IGNORECASE,
)
NAMES = ("sin", "cos", "tan", "exp", "log", "sqrt", "abs")
RANGE = re.compile(
    r"\b(?:from|between)\s+(?P<low>[-+]?\d+(?:\.\d+)?)\s+(?:to|and)\s+(?P<high>[-+]?\d+(?:\.\d+)?)"
)
BARE = re.compile(r"[-+]?[\d.,]+\s*$|[-+*#>|]")  # what Markdown would take for a list or a heading
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
LEADS = {"of", "the", "for", "with", "a", "an", "showing", "and"}
LEAST = 3  # numbers that are worth a picture
STATISTICS = {
    "median": r"\bmedian\b",
    "stdev": r"\bstandard deviation\b|\bstdev\b",
    "variance": r"\bvariance\b",
    "mode": r"\bmode\b|\bmost common\b",
    "mean": r"\bmean\b|\baverage\b",
}


async def python(code: str, here: Here) -> Drawn:
    """Runs a Python program and gives what it printed, its last value and its plots."""
    if here.programs is None:
        raise ValueError("Programs cannot run here now.")
    if clean(code) != code or len(code) > LONGEST:
        raise ValueError("The program is too long or holds characters that cannot be seen.")
    try:
        result = await here.programs.run(code, here.tables)
    except Refused as refused:
        if refused.code == "cancelled":
            raise
        raise ValueError(ENDED.get(refused.code, ENDED["sandbox_failed"])) from refused
    if result.error:
        raise ValueError(result.error[-GIVEN:])
    lines = [",".join(row) for row in ([result.columns] if result.columns else [])]
    lines += [",".join(row) for row in result.rows[:ROWS]]
    told = [result.text.strip(), "\n".join(lines) or result.value]
    words = "\n".join(part for part in told if part)[:GIVEN]
    if BARE.match(words):
        words = f"Result: {words}"
    return Drawn(words or ("Done" if result.figures else "It printed nothing"), result.figures)


ENDED = {
    "sandbox_time": "The program took too long and was ended.",
    "sandbox_failed": "The sandbox did not start, or broke.",
    "offline": "The sandbox is fetched when it is first used, and there is no network.",
}


def read(question: str, here: Here) -> list[dict] | None:
    """A program that stands in the question, or one made for its plot or its statistics; None: one
    that the model is to write."""
    if found := FENCED.search(question):
        return [{"code": clean(found["code"]).strip()}]
    if PLOT.search(question):
        code = of_table(question, here) or of_function(question) or of_numbers(question)
        return [{"code": code}] if code else []
    for name, words in STATISTICS.items():
        if re.search(words, question, re.IGNORECASE) and name != "mean":
            numbers = NUMBER.findall(question)
            return [{"code": statistic(name, numbers)}] if len(numbers) >= LEAST else []
    return None if PROGRAM.search(question) else []


def statistic(name: str, numbers: list[str]) -> str:
    told = {"stdev": "standard deviation"}.get(name, name)
    listed = ", ".join(number.lstrip("+") for number in numbers)
    return "\n".join(
        (
            "import statistics",
            f"values = [{listed}]",
            f'print(f"The {told} of {{len(values)}} values is {{statistics.{name}(values):.6g}}")',
        )
    )


def of_function(question: str) -> str:
    """Code that plots a formula of x, if one is asked for; every name in it is one of NAMES."""
    found = FUNCTION.search(question)
    what = " ".join(found["what"].lower().split()) if found else ""
    names = set(re.findall(r"[a-z]+", what))
    if not what or not names <= {*NAMES, "x", "pi"} or "x" not in names:
        return ""
    bounds = RANGE.search(question)
    low, high = (bounds["low"], bounds["high"]) if bounds else ("-10", "10")
    formula = re.sub(r"(?<=\d)\s*(?=x\b|[a-z]+\()", "*", what.replace("^", "**"))
    return "\n".join(
        (
            "import numpy as np",
            "import matplotlib.pyplot as plt",
            f"from numpy import {', '.join((*NAMES, 'pi'))}",
            f"x = np.linspace({low}, {high}, 400)",
            f"y = {formula} + 0 * x",
            "plt.plot(x, y)",
            "plt.grid(alpha=0.3)",
            f"plt.title({what!r})",
            'print(f"From x = {x[0]:g} to {x[-1]:g}, y goes from {y.min():.4g} to {y.max():.4g}")',
        )
    )


def of_numbers(question: str) -> str:
    """Code that plots the numbers of a question, with their names if each has one."""
    asked = PLOT.sub(" ", question.replace("\n", " , "))
    if re.search(r",\s|;|\band\b", asked):  # else commas part the numbers themselves
        asked = THOUSANDS.sub("", asked)
    numbers = NUMBER.findall(asked)
    if len(numbers) < LEAST:
        return ""
    parts = re.split(r"[,;]|\band\b", asked.partition(":")[2] or asked)
    pairs = [PAIR.search(part) for part in parts if NUMBER.search(part)]
    named = len(pairs) == len(numbers) and all(pairs)
    labels = [label_of(each["label"]) for each in pairs] if named else []
    return plotted(kind_of(question, bool(labels)), labels, numbers)


def label_of(text: str) -> str:
    """The last words before a number, without those that only lead to them."""
    words = text.split()[-2:]
    return " ".join(words[1:] if words[0].lower() in LEADS else words).strip(" '-") or text


def of_table(question: str, here: Here) -> str:
    """Code that plots a column of a pasted table, summed by another one."""
    asked = question.lower()
    for name in here.tables:
        rows = table.rows_of(here.tables, name)
        columns = list(rows[0]) if rows else []
        numeric = [each for each in columns if table.number_of(rows[0][each]) is not None]
        others = [each for each in columns if each not in numeric]
        measured = [each for each in numeric if table.is_named(each, asked)] or numeric
        by = [each for each in others if table.is_named(each, asked)] or others
        if measured and by and (name in asked or table.PASTED in asked or named_in(columns, asked)):
            return summed(name, measured[0], by[0], kind_of(question, True))
    return ""


def named_in(columns: Iterable[str], asked: str) -> bool:
    return any(table.is_named(each, asked) for each in columns)


def summed(name: str, column: str, by: str, kind: str) -> str:
    return "\n".join(
        (
            "import csv",
            "import matplotlib.pyplot as plt",
            "sums = {}",
            f"with open({name!r}, newline='') as file:",
            "    for row in csv.DictReader(file):",
            f"        key = row[{by!r}]",
            f"        sums[key] = sums.get(key, 0) + float(row[{column!r}])",
            *drawn(kind, "list(sums)", "list(sums.values())"),
            f"plt.title({f'{column} by {by}'!r})",
            'print(", ".join(f"{key}: {value:g}" for key, value in sums.items()))',
        )
    )


def kind_of(question: str, named: bool) -> str:
    found = (kind for kind, words in KINDS.items() if re.search(words, question, re.IGNORECASE))
    return next(found, "bar" if named else "plot")


def plotted(kind: str, labels: list[str], numbers: list[str]) -> str:
    listed = ", ".join(number.lstrip("+") for number in numbers)
    names = f"labels = {labels!r}" if labels else "labels = list(range(1, len(values) + 1))"
    return "\n".join(
        (
            "import matplotlib.pyplot as plt",
            f"values = [{listed}]",
            *([] if kind == "hist" else [names]),
            *drawn(kind, "labels", "values"),
            'print(f"{len(values)} values, from {min(values):g} to {max(values):g}")',
        )
    )


def drawn(kind: str, labels: str, values: str) -> list[str]:
    if kind == "hist":
        return [f"plt.hist({values})"]
    if kind == "pie":
        return [f'plt.pie({values}, labels={labels}, autopct="%.0f%%")']
    marker = ', marker="o"' if kind == "plot" else ""
    return [f"plt.{kind}({labels}, {values}{marker})"]
