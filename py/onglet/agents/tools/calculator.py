"""Arithmetic, exact as long as it is made of fractions. Nothing of Python can be reached by it."""

import ast
import itertools
import math
import operator
import re
from fractions import Fraction

from onglet.agents.tools import Here

PERMISSION, WRITES = "free", False
EXAMPLES = (
    ("What is 12 times 7?", {"expression": "12 * 7"}),
    ("Anna has 5 boxes with 8 pens each. How many pens is that?", {"expression": "5 * 8"}),
    ("There were 30 apples and 12 were eaten. How many are left?", {"expression": "30 - 12"}),
)

LONGEST = 200  # characters
MOST_BITS = 4096
NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+"
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
ROOTS = {"sqrt": 2, "cbrt": 3}
# What words mean: {n} is a number, the others are its places in the expression.
SAID = (
    (r"{n} ?(?:%|percent) of {n}", "{0} / 100 * {1}"),
    (r"square root of {n}", "sqrt({0})"),
    (r"cube root of {n}", "cbrt({0})"),
    (r"{n} squared", "{0} ** 2"),
    (r"{n} cubed", "{0} ** 3"),
    (r"(?:half|a half) of {n}", "{0} / 2"),
    (r"a third of {n}", "{0} / 3"),
    (r"a quarter of {n}", "{0} / 4"),
    (r"(?:twice|double|the double of) {n}", "2 * {0}"),
    (r"subtract {n} from {n}", "{1} - {0}"),
    (r"(?:add|sum of|total of) {n} (?:and|to|with) {n}", "{0} + {1}"),
    (r"difference (?:between|of) {n} and {n}", "{0} - {1}"),
    (r"(?:multiply|product of) {n} (?:by|and|with) {n}", "{0} * {1}"),
    (r"(?:divide|split|share)\D*{n}\D*(?:by|between|among|with|into|for)\D*{n}", "{0} / {1}"),
)
SIGNS = (
    (r"\b(?:multiplied by|times)\b|[×·]|(?<=\d) ?x ?(?=\d)", " * "),
    (r"\b(?:divided by|over)\b|[÷:]", " / "),
    (r"\bplus\b", " + "),
    (r"\bminus\b|[−–]", " - "),
    (r"\b(?:to the power of|raised to)\b|\^", " ** "),
)
NUMBERS = re.compile(rf"(?<![\w.-])(?:{NUMBER})(?![\w-])|{NUMBER}(?=%)")
WRITTEN = re.compile(r"(?:sqrt|cbrt|[(\d.])(?:sqrt|cbrt|[\d.()+\-*/ ])*[\d)]")
OPERATION = re.compile(r"[\d)] (?:\*\*|[-+*/]) [\d(.sc]|sqrt|cbrt")
WRAPPED = re.compile(r"\(([^()]*(?:\([^()]*\))?[^()]*)\)")
ASKS = re.compile(
    r"how (?:much|many|long|far|old)|total|altogether|each|left|remain|per |cost|pay|what is|price"
)
DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{4}\b|\b\d{1,2}:\d{2}\b")
PAIRS = ("{0} * {1}", "{0} + {1}", "{0} - {1}", "{0} / {1}", "{1} / {0}")
TRIPLES = (
    "{0} + {1} + {2}", "{0} * {1} * {2}", "{0} * {1} + {2}", "{0} + {1} * {2}", "{0} * {1} - {2}",
    "{0} - {1} - {2}", "{0} - {1} * {2}", "({0} + {1}) * {2}", "({0} - {1}) * {2}",
    "({0} + {1}) / {2}", "({0} - {1}) / {2}", "{0} * {1} / {2}",
)  # fmt: skip


def calculator(expression: str) -> str:
    """Calculates an arithmetic expression with + - * / ** ( ) and sqrt, and gives the number."""
    text = expression.replace("^", "**").replace(",", "")
    if len(text) > LONGEST:
        raise ValueError("The expression is too long.")
    try:
        value = of(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("This is no expression.") from error
    except ZeroDivisionError as error:
        raise ValueError("Nothing can be divided by zero.") from error
    except OverflowError as error:
        raise ValueError("The number is too large.") from error
    return f"{expression} = {shown(value)}"


def of(node: ast.expr) -> Fraction:
    """The value of a part. Raises ValueError for all that is not arithmetic."""
    match node:
        case ast.Constant(value=float() as value) if math.isinf(value):
            raise ValueError("The number is too large.")
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Fraction(str(value))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -of(inner)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return power(of(left), of(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return small(OPERATORS[type(op)](of(left), of(right)))
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in ROOTS:
            return power(of(inner), Fraction(1, ROOTS[name]))
    raise ValueError("Only numbers, + - * / ** ( ) and sqrt can be calculated.")


def power(number: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        size = abs(exponent.numerator) * max(
            number.numerator.bit_length(), number.denominator.bit_length()
        )
        if size > MOST_BITS:
            raise ValueError("The number is too large.")
        return number**exponent.numerator
    if number < 0:
        raise ValueError("A negative number has no such root.")
    root = round(number ** float(exponent), 12)
    return Fraction(str(root)) if root < 1e15 else Fraction(root)


def small(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > 2 * MOST_BITS:
        raise ValueError("The number is too large.")
    return value


def shown(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    number = float(value)
    digits = 10 + max(0, math.floor(math.log10(abs(number)))) if abs(number) < 1e12 else 12
    return f"{number:.{min(digits, 15)}g}"


def read(question: str, here: Here) -> list[dict]:
    """What words and signs of a question mean; without any, what can be made of its numbers."""
    asked = DATE.sub("", question.lower())
    numbers = [plain(each) for each in NUMBERS.findall(asked)]
    for words, expression in SAID:
        found = re.compile(words.replace("{n}", rf"[ $€£]{{0,2}}({NUMBER})"))
        asked = found.sub(lambda each, shape=expression: inserted(shape, each), asked)
    if (written := signed(asked)) and holds(written, numbers):
        return [{"expression": written}]
    shapes = {2: PAIRS, 3: TRIPLES}.get(len(numbers), ())
    if not ASKS.search(asked):
        return []
    return [{"expression": shape.format(*numbers)} for shape in shapes]


def inserted(shape: str, found: re.Match) -> str:
    return f" ({shape.format(*(plain(each) for each in found.groups()))}) "


def holds(expression: str, numbers: list[str]) -> bool:
    """Whether an expression leaves none of a question's numbers out."""
    return set(numbers) <= set(re.findall(NUMBER, expression))


def signed(asked: str) -> str | None:
    """The longest expression that stands in a question, None if it holds none."""
    for words, sign in SIGNS:
        asked = re.sub(words, sign, asked)
    asked = re.sub(NUMBER, lambda found: plain(found[0]), asked)
    found = sorted((each[0].strip() for each in WRITTEN.finditer(asked)), key=len, reverse=True)
    for each in itertools.islice(found, 4):
        text = " ".join(re.sub(r"(\*\*|(?<!\*)\*(?!\*)|[+/]|(?<=\d)-)", r" \1 ", each).split())
        try:
            calculator(text)
        except ValueError:
            continue
        if OPERATION.search(text):
            return whole[1] if (whole := WRAPPED.fullmatch(text)) else text
    return None


def plain(number: str) -> str:
    return number.replace(",", "")
