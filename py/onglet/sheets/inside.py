"""What a model file holds, as sections of a page. Every text of the file comes through the one
door (browser/safe.py) and is shown as text, never as anything else."""

from onglet.browser.safe import clean
from onglet.library.anatomy import AFTER, BEFORE, Anatomy, Stretch
from onglet.words import number, say, size

MOST_ROWS = 2_000
MOST_LAYERS = 200
AROUND = {BEFORE: "models.stretch.embedding", AFTER: "models.stretch.output"}
PARTS = ("models.part.attention", "models.part.feed_forward", "models.part.other")


def sections(inside: Anatomy, called: str) -> list[dict]:
    """`called`: the name to put above it all."""
    told = {"bytes": inside.file_bytes, "version": inside.version, "count": len(inside.tensors)}
    return [
        {"kind": "title", "text": clean(called)},
        {"kind": "text", "text": say("models.inside.file", **told), "look": "muted"},
        _title("models.inside.layers"),
        _plot(inside.stretches),
        _title("models.inside.types"),
        _table(
            "models.inside.types",
            ("models.inside.type", "models.inside.tensors", "models.inside.size"),
            [[kind.type, number(kind.tensors), size(kind.bytes)] for kind in inside.kinds],
        ),
        _title("models.inside.metadata"),
        {"kind": "rows", "rows": [_row(*row) for row in inside.metadata[:MOST_ROWS]]},
        *_template(inside.template),
        _title("models.inside.tensors"),
        _table(
            "models.inside.tensors",
            (
                "models.inside.name",
                "models.inside.type",
                "models.inside.shape",
                "models.inside.size",
            ),
            [
                [clean(one.name), one.type, f"{one.rows} × {one.columns}", size(one.bytes)]
                for one in inside.tensors[:MOST_ROWS]
            ],
        ),
    ]


def _title(key: str) -> dict:
    return {"kind": "title", "text": say(key)}


def _table(caption: str, columns: tuple[str, ...], rows: list[list[str]]) -> dict:
    return {"kind": "table", "caption": say(caption), "columns": [*map(say, columns)], "rows": rows}


def _row(name: str, value: str) -> list[str]:
    return [clean(name), clean(value), "code"]


def _template(template: str) -> list[dict]:
    if not template:
        return [_title("models.inside.template"), _muted("models.inside.no_template")]
    text = {"kind": "text", "text": clean(template), "look": "source"}
    return [_title("models.inside.template"), text]


def _muted(key: str) -> dict:
    return {"kind": "text", "text": say(key), "look": "muted"}


def _plot(stretches: list[Stretch]) -> dict:
    """Columns of parameters: one for each stretch, its parts one above the other."""
    shown = stretches[:MOST_LAYERS]
    most = max((sum(one.parameters) for one in shown), default=0) or 1
    columns = [
        {
            "title": f"{_named(one)}: {number(sum(one.parameters))}",
            "shares": [count / most for count in one.parameters],
        }
        for one in shown
    ]
    largest = max(shown, key=lambda one: sum(one.parameters), default=None)
    told = {"count": len(shown), "most": most}
    named = _named(largest) if largest else ""
    return {
        "kind": "columns",
        "label": say("models.inside.plot", **told, name=named),
        "parts": [*map(say, PARTS)],
        "columns": columns,
    }


def _named(stretch: Stretch) -> str:
    if stretch.name.isdigit():
        return say("models.stretch.layer", layer=stretch.name)
    return say(AROUND[stretch.name])
