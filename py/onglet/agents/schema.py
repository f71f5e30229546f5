"""Which JSON schemas an answer can be held to: a plain part of the standard, small and not deep, so
that the grammar library never meets what it cannot read. Knows nothing of models.
"""

import json
import math
from typing import Any

MOST_CHARACTERS = 8000
DEEPEST = 8
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
WORDS = ("title", "description")
COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
MOST_COUNTED = 4096
# keyword -> the type it belongs to ("" : any)
KEYWORDS = {
    "type": "", "enum": "", "const": "", "anyOf": "", "title": "", "description": "",
    "properties": "object", "required": "object", "additionalProperties": "object",
    "items": "array", "minItems": "array", "maxItems": "array",
    "minLength": "string", "maxLength": "string",
    "minimum": "integer", "maximum": "integer",
}  # fmt: skip


def problem(schema: Any) -> str:
    """Where a schema is not of the part that is understood here, "" when all of it is."""
    try:
        if len(json.dumps(schema)) > MOST_CHARACTERS:
            return "$"
    except (ValueError, TypeError, RecursionError):
        return "$"
    return _problem(schema, "$", 0)


def _problem(schema: Any, where: str, depth: int) -> str:
    if not isinstance(schema, dict) or depth > DEEPEST or not set(schema) <= set(KEYWORDS):
        return where
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        listed = schema.get("enum", [schema.get("const")])
        good = isinstance(listed, list) and 0 < len(listed) <= 200 and all(map(is_simple, listed))
        return "" if good else where
    if "anyOf" in schema:
        parts = schema["anyOf"]
        if not isinstance(parts, list) or not 0 < len(parts) <= 16:
            return where
        return first(_problem(part, f"{where}.anyOf", depth + 1) for part in parts)
    if kind not in TYPES or any(KEYWORDS[each] not in ("", kind) for each in schema):
        return where
    if not all(is_count(schema[each]) for each in COUNTS if each in schema):
        return where
    if not ordered(schema, "minItems", "maxItems") or not ordered(schema, "minLength", "maxLength"):
        return where
    if not all(is_whole(schema[each]) for each in ("minimum", "maximum") if each in schema):
        return where
    if not ordered(schema, "minimum", "maximum"):
        return where
    if kind == "array":
        return _problem(schema.get("items"), f"{where}[]", depth + 1)
    return _object(schema, where, depth) if kind == "object" else ""


def _object(schema: dict, where: str, depth: int) -> str:
    named, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(named, dict) or not 0 < len(named) <= 64 or not all(named):
        return where
    if not isinstance(required, list) or not all(
        each in named for each in required if isinstance(each, str)
    ):
        return where
    if (
        not all(isinstance(each, str) for each in required)
        or schema.get("additionalProperties", False) is not False
    ):
        return where
    return first(_problem(each, f"{where}.{name}", depth + 1) for name, each in named.items())


def first(problems: Any) -> str:
    return next((each for each in problems if each), "")


def is_simple(value: Any) -> bool:
    return value is None or type(value) in (str, int, bool) or is_finite(value)


def is_finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def is_whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**53


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST_COUNTED


def ordered(schema: dict, least: str, most: str) -> bool:
    return least not in schema or most not in schema or schema[least] <= schema[most]
