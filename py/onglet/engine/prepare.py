"""The one door for model files: the first bytes of a file in, all that the engine needs out.

Says what the model is (card), how it computes (program), where its token tables lie (tokenizer).
Raises Incomplete or Refused, nothing else. Knows nothing of where the file comes from.
"""

import re
from collections import Counter
from dataclasses import dataclass

from onglet.engine import program
from onglet.engine.errors import Refused
from onglet.engine.gguf import FLOAT32, INT32, STRING, Array, Header, read_header
from onglet.engine.models import plan_for
from onglet.engine.plan import Attend, Plan
from onglet.engine.program import MEMORY_LIMIT, Program
from onglet.engine.work import work

CONTEXT = 4096  # tokens, when nobody asks for another number
CACHE_LIMIT = 256 << 20  # bytes of keys and values at most, when nobody asks
SHORTEST_CONTEXT = 512
CHUNK = 128  # tokens that go through the model together
NAME_LIMIT = 100  # characters of a name on the card
TEMPLATE_LIMIT = 64 << 10  # bytes
TOKEN_LIMIT = 1024  # bytes of a special token
SPECIAL_LIMIT = 16_384

BYTE_PAIRS, SENTENCE_PIECES, WORD_PIECES = "gpt2", "llama", "bert"
TOKENIZERS = (BYTE_PAIRS, SENTENCE_PIECES, WORD_PIECES)
OF_BERT = {"unknown": 100, "bos": 101, "seperator": 102}  # unless the file says otherwise
CONTROL, USER_DEFINED = 3, 4  # token types in the file
STARTS_WITH_BOS = (  # unless the file says otherwise
    *("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
    "tekken",
)
ENDS_OF_TURN = (
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>"),
    *("<end_of_turn>", "<|end_of_turn|>", "<|eot|>", "</s>", "<EOT>"),
)
SWALLOWING_MODELS = ("phi-3", "phi3")
NOT_SWALLOWING = ("<unk>", "<s>", "<|endoftext|>")
QUANTIZATION_IN_NAME = re.compile(r"[.\-_](?:UD-)?(?:I?Q\d\w*|BF16|F(?:P)?(?:16|32))$", re.I)


@dataclass(frozen=True)
class Prepared:
    """docs/protocols.md section 4."""

    card: dict
    program: Program
    chat_template: str | None
    tokenizer: dict

    def to_dict(self) -> dict:
        return {
            "card": self.card,
            "program": self.program.to_dict(),
            "chat_template": self.chat_template,
            "tokenizer": self.tokenizer,
        }


def prepare(
    header: bytes,
    file_bytes: int,
    *,
    context: int | None = None,
    name: str | None = None,
    memory: int = MEMORY_LIMIT,
    encoder: bool = False,
) -> Prepared:
    """Prepares the model whose file begins with `header` and is called `name`: one that answers, or
    an encoder when that is wanted (Refused encoder_model, no_encoder).

    Where `memory` (bytes) does not hold the context that it would have, it gets a shorter one.
    """
    read = read_header(header, file_bytes)
    plan = plan_for(read)
    if plan.encodes != encoder:
        raise Refused("encoder_model" if plan.encodes else "no_encoder")
    tokenizer = _tokenizer(read, plan)
    template = read.text("tokenizer.chat_template", TEMPLATE_LIMIT, default=None)
    full = _context(plan, context)
    lowered = _within(memory, plan, read, full)
    card = {**_card(read, plan, name), "work": work(lowered.weights), "full_context": full}
    return Prepared(card, lowered, template, tokenizer)


def _within(memory: int, plan: Plan, header: Header, context: int) -> Program:
    """The program with the longest context that fits. Raises Refused too_big."""
    while True:
        chunk = context if plan.encodes else min(CHUNK, context)
        try:
            lowered = program.lower(plan, header.tensors, context=context, chunk=chunk)
            if lowered.memory_bytes <= memory:
                return lowered
            too_big = Refused("too_big", need=lowered.memory_bytes, limit=memory)
        except Refused as refused:
            if refused.code != "too_big":
                raise
            too_big = refused
        if context <= SHORTEST_CONTEXT:
            raise too_big
        context = max(SHORTEST_CONTEXT, context // 2)


def _context(plan: Plan, wanted: int | None) -> int:
    """How many tokens the cache holds: what was asked, within what the model was made for."""
    if wanted:
        return max(1, min(wanted, plan.context_length))
    context = min(CONTEXT, plan.context_length)
    each = sum(
        2 * 2 * step.kv_heads * step.head_size  # a key and a value of two bytes each
        for step, _ in plan.steps()
        if isinstance(step, Attend)
    )
    while context > SHORTEST_CONTEXT and context * each > CACHE_LIMIT:
        context //= 2
    return context


def _card(header: Header, plan: Plan, name: str | None) -> dict:
    """What a person may want to know of the model. Texts are the publisher's words."""
    return {
        "name": _name(header, plan, name),
        "architecture": plan.architecture,
        "parameters": sum(tensor.rows * tensor.columns for tensor in header.tensors.values()),
        "quantization": _quantization(header),
        "license": _words(header, "general.license"),
        "organization": _words(header, "general.organization"),
        "file_bytes": header.file_bytes,
        "sha256": None,
        "context_length": plan.context_length,
        "layers": plan.layers,
        "width": plan.width,
        "vocabulary": plan.vocabulary,
        "languages": _languages(header),
    }


def _name(header: Header, plan: Plan, file_name: str | None) -> str:
    """Publishers take more care of file names than of `general.name`."""
    stem = re.split(r"[/\\]", file_name or "")[-1].removesuffix(".gguf")
    named = QUANTIZATION_IN_NAME.sub("", _printable(stem))
    return named or _words(header, "general.name") or plan.architecture


def _quantization(header: Header) -> str:
    """The type that most weights have."""
    sizes = Counter()
    for tensor in header.tensors.values():
        sizes[tensor.type] += tensor.rows * tensor.columns
    return sizes.most_common(1)[0][0]


def _words(header: Header, key: str) -> str | None:
    return _printable(header.text(key, 4096, default="")) or None


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()[:NAME_LIMIT]


def _languages(header: Header) -> list[str]:
    array = header.array("general.languages", STRING, default=None)
    if array is None:
        return []
    named = header.strings(array, range(min(array.count, 100)), 64)
    return [_printable(language) for language in named.values()]


def _tokenizer(header: Header, plan: Plan) -> dict:
    model = header.text("tokenizer.ggml.model", 64)
    pre = header.text("tokenizer.ggml.pre", 64, default="default")
    if model not in TOKENIZERS:
        raise Refused("unknown_tokenizer", tokenizer=model)
    tokens = header.array("tokenizer.ggml.tokens", STRING)
    types = header.array("tokenizer.ggml.token_type", INT32)
    if not tokens.count == types.count == plan.vocabulary:
        raise Refused("wrong_shape", tensor="tokenizer.ggml.tokens")
    merges = header.array("tokenizer.ggml.merges", STRING) if model == BYTE_PAIRS else None
    scores = _scores(header, tokens) if model == SENTENCE_PIECES else None
    special = _special(header, tokens, types)
    known = OF_BERT if model == WORD_PIECES else {}
    named = {name: _token(header, name, tokens, known.get(name)) for name in ("bos", "unknown")}
    last = "seperator" if model == WORD_PIECES else "eos"  # spelt so in the format
    eos = _token(header, last, tokens, known.get(last))
    return {
        "model": model,
        "pre": pre,
        "tokens": _place(tokens),
        "merges": merges and _place(merges),
        "scores": scores and _place(scores),
        "types": _place(types),
        "bos": named["bos"],
        "eos": eos,
        "unknown": named["unknown"],
        "end_of_turn": _ends(header, tokens, special, eos),
        "add_bos": header.flag(
            "tokenizer.ggml.add_bos_token", model != BYTE_PAIRS or pre in STARTS_WITH_BOS
        ),
        "add_eos": model == WORD_PIECES,
        "add_space_prefix": header.flag(
            "tokenizer.ggml.add_space_prefix", model == SENTENCE_PIECES
        ),
        "strip_after": _strip_after(header, special) if model == SENTENCE_PIECES else [],
        "special": [[number, text] for number, text in special.items()],
    }


def _scores(header: Header, tokens: Array) -> Array:
    """One a token; the greater the earlier its parts are joined."""
    scores = header.array("tokenizer.ggml.scores", FLOAT32)
    if scores.count != tokens.count:
        raise Refused("wrong_shape", tensor="tokenizer.ggml.scores")
    return scores


def _special(header: Header, tokens: Array, types: Array) -> dict[int, str]:
    """The tokens that text can hold as a whole: id -> text."""
    kinds = enumerate(header.integers(types))
    wanted = [number for number, kind in kinds if kind in (CONTROL, USER_DEFINED)]
    if len(wanted) > SPECIAL_LIMIT:
        raise Refused("broken_header", where="tokenizer.ggml.token_type")
    return header.strings(tokens, wanted, TOKEN_LIMIT)


def _strip_after(header: Header, special: dict[int, str]) -> list[int]:
    """The special tokens that swallow the white space behind them. No key of the format says so:
    as in llama.cpp, the name of the model does."""
    name = header.text("general.name", 4096, default="").lower()
    if not any(part in name for part in SWALLOWING_MODELS):
        return []
    return [number for number, text in special.items() if text not in NOT_SWALLOWING]


def _ends(header: Header, tokens: Array, special: dict[int, str], eos: int | None) -> list[int]:
    """Every token that may end an answer."""
    ends = {number for number, text in special.items() if text in ENDS_OF_TURN}
    ends |= {eos, _token(header, "eot", tokens), _token(header, "eom", tokens)}
    return sorted(ends - {None})


def _token(header: Header, name: str, tokens: Array, default: int | None = None) -> int | None:
    key = f"tokenizer.ggml.{name}_token_id"
    found = header.integer(key, 0, tokens.count - 1, default=default)
    return found if found is None or found < tokens.count else None


def _place(array: Array) -> dict:
    return {"offset": array.offset, "count": array.count}
