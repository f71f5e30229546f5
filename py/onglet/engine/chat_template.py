"""Turns messages into the text a model was trained on, with the template its file carries.

A template is code from a stranger: it runs in Jinja's immutable sandbox with a short list of
filters and methods, weighed values, no loader, a size limit and one second to live.
Knows nothing of models, tokens or chat pages.
"""

import datetime
import functools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.defaults import DEFAULT_FILTERS
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from onglet.engine.errors import Refused

TEMPLATE_LIMIT = 64 << 10  # characters
TAGS_LIMIT = 2000  # compiling takes time by the tag, and is not under the deadline
TAG_LIMIT = 1000  # tokens of one tag; a chain of thousands ends the whole interpreter in a browser
DEPTH_LIMIT = 24  # brackets in brackets, lists in lists
TEXT_LIMIT = 4 << 20  # characters that any value and the whole text may have
VALUE_WEIGHT = 64  # what a value in a list weighs beside its text
INTEGER_BITS = 4096
SECONDS = 1.0
INDENT_LIMIT = 8
FILE = "<template>"  # the file name that Jinja gives to the code of a template

FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float"),
    *("int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject"),
    *("rejectattr", "replace", "reverse", "safe", "select", "selectattr", "sort"),
    *("string", "sum", "title", "trim", "unique", "upper"),
)
METHODS = {
    str: frozenset(
        (
            *("capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit"),
            *("islower", "isspace", "isupper", "join", "lower", "lstrip", "removeprefix"),
            *("removesuffix", "replace", "rfind", "rsplit", "rstrip", "split", "splitlines"),
            *("startswith", "strip", "title", "upper"),
        )
    ),
    dict: frozenset(("get", "items", "keys", "values")),
    list: frozenset(("count", "index")),
    tuple: frozenset(("count", "index")),
}
OWN_OBJECTS = (LoopContext, Macro, Namespace, Undefined)  # Jinja's; guarded by its sandbox


class TooMuch(Exception):
    """The template wants more than any template needs."""


def render(
    template: str | None,
    messages: list[dict],
    *,
    bos: str = "",
    eos: str = "",
    answer: bool = True,
    tools: list[dict] | None = None,
) -> str:
    """The prompt for these messages; with `answer` it ends where the model goes on.

    Raises Refused: no_chat_template, or template_failed with a `reason` for programs.
    """
    if not template:
        raise Refused("no_chat_template")
    if len(template) > TEMPLATE_LIMIT:
        raise Refused("template_failed", reason="template too long")
    values = {"messages": messages, "tools": tools, "documents": None}
    values |= {"bos_token": bos, "eos_token": eos, "add_generation_prompt": answer}
    try:
        compiled = _compiled(template)
        with _deadline(SECONDS):
            return compiled.render(values)
    except (TemplateError, TooMuch, TypeError, ValueError, LookupError, AttributeError) as error:
        raise Refused("template_failed", reason=str(error)[:200]) from None
    except (ArithmeticError, RecursionError, MemoryError, SyntaxError) as error:
        raise Refused("template_failed", reason=type(error).__name__) from None


def weigh(*values: Any) -> None:
    """Raises TooMuch if the values hold too much, each use of a shared part counted anew, or hold
    lists in lists in lists without end."""
    left, level = TEXT_LIMIT, list(values)
    for _ in range(DEPTH_LIMIT):
        left, level = _weigh_level(left, level)
        if not level:
            return
    raise TooMuch("value too deep")


def _weigh_level(left: int, level: list) -> tuple[int, list]:
    """What is left once these values are weighed, and the values that they hold."""
    held = []
    for value in level:
        kind = type(value)
        left -= VALUE_WEIGHT
        if kind in (str, Markup):
            left -= len(value)
        elif kind in (list, tuple, dict):
            if len(value) * VALUE_WEIGHT > left:
                raise TooMuch("value too big")
            held += value if kind is not dict else (*value.keys(), *value.values())
        elif kind is int and value.bit_length() > INTEGER_BITS:
            raise TooMuch("number too big")
        elif kind is Namespace:
            held.append(value._Namespace__attrs)
        if left < 0 or len(held) * VALUE_WEIGHT > TEXT_LIMIT:
            raise TooMuch("value too big")
    return left, held


def _weighed(function: Callable) -> Callable:
    """The function with its arguments and its result weighed."""

    @functools.wraps(function)  # keeps the marks that Jinja reads
    def guarded(*arguments, **named):
        weigh(arguments, named)
        result = function(*arguments, **named)
        weigh(result)
        return result

    return guarded


def _join(pieces: Iterable) -> str:
    """The pieces one after the other, weighed as they come: they may come without end."""
    texts, left = [], TEXT_LIMIT
    for piece in pieces:
        weigh(piece)
        texts.append(str(piece))
        left -= len(texts[-1]) + 1
        if left < 0:
            raise TooMuch("text too long")
    return "".join(texts)


class _Compiler(CodeGenerator):
    """Sends every place where values grow through the environment."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self._through("joined", super().visit_List, nodes.List(node.nodes), frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._through("made", super().visit_List, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._through("made", super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._through("made", super().visit_Dict, node, frame)

    def _through(self, name: str, visit: Callable, node: nodes.Expr, frame: Frame) -> None:
        self.write(f"environment.{name}(")
        visit(node, frame)
        self.write(")")


class _Generation(Extension):
    """`{% generation %}` marks what a model is trained on; when asking it means nothing."""

    tags: ClassVar = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Environment(ImmutableSandboxedEnvironment):
    code_generator_class = _Compiler
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)
    concat = staticmethod(_join)
    joined = staticmethod(_join)

    @staticmethod
    def made(value: Any) -> Any:
        weigh(value)
        return value

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        known = any(attr in names for kind, names in METHODS.items() if isinstance(obj, kind))
        return known or isinstance(obj, OWN_OBJECTS)

    def wrap_str_format(self, value: Any) -> None:
        """No `str.format`: a width in a format fills any memory."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        weigh(left, right)
        _check_growth(operator, left, right)
        result = super().call_binop(context, operator, left, right)
        weigh(result)
        return result

    def call(self, context: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        weigh(arguments, named)
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(owner, str) and name in GROWING:
            GROWING[name](owner, *arguments, **named)
        result = super().call(context, function, *arguments, **named)
        weigh(result)
        return result


def _check_growth(operator: str, left: Any, right: Any) -> None:
    """Before the fact, where the result could be far bigger than both sides."""
    if operator == "%" and isinstance(left, str):
        raise TooMuch("no formatting with %")
    if operator == "**":
        whole = isinstance(left, int) and isinstance(right, int)
        if whole and left.bit_length() * max(1, right) > INTEGER_BITS:
            raise TooMuch("power too big")
    if operator == "*":
        for many, times in ((left, right), (right, left)):
            repeats = isinstance(many, str | list | tuple) and isinstance(times, int)
            each = 1 if isinstance(many, str) else VALUE_WEIGHT
            if repeats and len(many) * times * each > TEXT_LIMIT:
                raise TooMuch("repeated too often")


def _check_replace(text: str, old: str, new: str, count: int = -1) -> None:
    if isinstance(old, str) and isinstance(new, str):
        times = text.count(old) if count is None or count < 0 else min(count, text.count(old))
        if len(text) + times * len(new) > TEXT_LIMIT:
            raise TooMuch("replaced too often")


def _check_join(separator: str, parts: Any = ()) -> None:
    if isinstance(parts, list | tuple | dict | str):
        weigh(*parts)
        if len(separator) * len(parts) > TEXT_LIMIT:
            raise TooMuch("joined too much")


GROWING = {"replace": _check_replace, "join": _check_join}


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    text = str(text)
    _check_replace(text, old, new, count)
    return text.replace(old, new, -1 if count is None else count)


def _joined(context, values: Any, separator: str = "", attribute=None) -> str:
    """Jinja's own filter, once the parts are known to be few enough."""
    values = list(values)
    _check_join(str(separator), values)
    return DEFAULT_FILTERS["join"](context, values, str(separator), attribute)


_joined.jinja_pass_arg = DEFAULT_FILTERS["join"].jinja_pass_arg


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **more) -> str:
    """As Hugging Face's chat templates expect it: no HTML escapes, characters as they are."""
    if more.keys() - {"separators", "sort_keys"} or (indent or 0) > INDENT_LIMIT:
        raise TooMuch("tojson")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **more)


def _indent(text: str, width: int = 4, first: bool = False, blank: bool = False) -> str:
    if (str(text).count("\n") + 1) * (width if isinstance(width, int) else len(width)) > TEXT_LIMIT:
        raise TooMuch("indented too far")
    return DEFAULT_FILTERS["indent"](text, width, first, blank)


def _raise_exception(message: str) -> None:
    raise TemplateError(str(message))


def _strftime_now(form: str) -> str:
    if len(form) > 100:
        raise TooMuch("strftime_now")
    return datetime.datetime.now().strftime(form)


@functools.cache
def _environment() -> _Environment:
    environment = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,  # the optimizer computes constants while compiling
        extensions=[LoopControlExtension, _Generation],
    )
    own = {"replace": _replace, "join": _joined, "tojson": _to_json, "indent": _indent}
    filters = {name: DEFAULT_FILTERS[name] for name in FILTERS} | own
    environment.filters = {name: _weighed(function) for name, function in filters.items()}
    environment.globals = {
        "range": environment.globals["range"],
        "namespace": Namespace,
        "raise_exception": _raise_exception,
        "strftime_now": _strftime_now,
    }
    return environment


@functools.lru_cache(maxsize=4)
def _compiled(template: str) -> Template:
    _check_shape(_environment().lex(template))
    return _environment().from_string(template)


def _check_shape(tokens: Iterable[tuple[int, str, str]]) -> None:
    """Compilers go into themselves for each part of a part: refuses what would be too deep."""
    tags = length = depth = 0
    for _, kind, text in tokens:
        length += 1
        if kind in ("variable_begin", "block_begin"):
            tags, length, depth = tags + 1, 0, 0
        elif kind == "operator":
            depth += (text in "([{") - (text in ")]}")
        if tags > TAGS_LIMIT or length > TAG_LIMIT or depth > DEPTH_LIMIT:
            raise TooMuch("template too long")


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raises TooMuch in whatever Python code runs after `seconds`. One C call is not interrupted:
    that is why values are weighed before."""
    end, before = time.monotonic() + seconds, sys.gettrace()

    def trace(frame, event, argument):
        if time.monotonic() > end:
            raise TooMuch("took too long")
        return trace if frame.f_code.co_filename == FILE else None

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
