"""Who takes part in the bench: each system with one file and one number of threads, and what was
measured of it. Knows how figures are made of measurements, not how they are taken.
"""

from dataclasses import dataclass, field
from functools import cache
from statistics import median

from gguf import GGUFReader

from .. import vendor
from . import models

PROMPTS = ("short", "long")
KEYS = (
    "system", "version", "file", "threads", "prompt_tokens", "decode_tokens_per_second",
    "prefill_tokens_per_second", "load_seconds", "peak_bytes",
)  # fmt: skip
PEER_PACKAGES = {
    "wllama": "@wllama/wllama",
    "wllama compat": "@wllama/wllama-compat",
    "onnxruntime-web": "onnxruntime-web",
    "transformers.js": "@huggingface/transformers",
    "llama.cpp native": "xllamacpp",
}
GRAPH_SYSTEMS = ("onnxruntime-web", "transformers.js")
ROUNDS = 3
TOO_LONG = "not asked: at this size a peer reads the long prompt for minutes"
FEW_TOKENS, MANY_TOKENS = 16, 48


@dataclass(frozen=True)
class Weights:
    """What one token costs: the matrices of a file, the head included, each read once."""

    bytes: int
    multiply_adds: int
    head_multiply_adds: int

    @property
    def prefill_multiply_adds(self) -> int:
        """For a token of the prompt: the head runs for the last one only."""
        return self.multiply_adds - self.head_multiply_adds


@cache
def weights_of(model: str) -> Weights:
    """The weights of one of models.NAMES. Attention and the cache of keys are not counted."""
    tensors = {tensor.name: tensor for tensor in GGUFReader(models.model(model)).tensors}
    head = tensors.get("output.weight") or tensors.pop("token_embd.weight")
    tensors.pop("token_embd.weight", None)
    tensors["output.weight"] = head
    matrices = [tensor for tensor in tensors.values() if len(tensor.shape) == 2]
    return Weights(
        bytes=sum(int(tensor.n_bytes) for tensor in matrices),
        multiply_adds=sum(int(tensor.n_elements) for tensor in matrices),
        head_multiply_adds=int(head.n_elements),
    )


@dataclass
class Contender:
    """One system, file and number of threads; then what was measured of it, round by round.

    `not_asked` says why a prompt is left out, `failure` why there are no figures at all.
    """

    system: str
    version: str
    model: str
    threads: int
    rounds: int = 1
    prompts: tuple[str, ...] = PROMPTS
    answer_tokens: int = MANY_TOKENS
    not_asked: str | None = None
    failure: str | None = None
    loads: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    runs: dict[str, list[dict]] = field(default_factory=lambda: {name: [] for name in PROMPTS})

    @property
    def is_onglet(self) -> bool:
        return self.system.startswith("onglet")

    @property
    def file(self) -> str:
        if self.system in GRAPH_SYSTEMS:
            return f"{models.model(self.model).stem}.onnx"
        return models.model(self.model).name

    @property
    def label(self) -> str:
        return f"{self.system} {self.version}, {self.model}, {self.threads} thr"

    def rates(self, prompt: str, phase: str) -> list[float]:
        """Tokens per second of `phase` (prefill or decode) in each round."""
        count = "prompt_tokens" if phase == "prefill" else "answer_tokens"
        return [run[count] / run[f"{phase}_seconds"] for run in self.runs[prompt]]

    def row(self, prompt: str) -> dict:
        """The row of bench.json; figures that were not measured are null, with a reason."""
        row = dict.fromkeys(KEYS) | {
            "system": self.system,
            "version": self.version,
            "file": self.file,
            "threads": self.threads,
            "load_seconds": round(median(self.loads), 3) if self.loads else None,
            "peak_bytes": max(self.peaks, default=None),
        }
        if not self.runs[prompt]:
            return row | {"reason": self.failure or self.not_asked}
        return row | {"prompt_tokens": self.runs[prompt][0]["prompt_tokens"]} | self._speed(prompt)

    def _speed(self, prompt: str) -> dict:
        weights = weights_of(self.model)
        decode, prefill = (self.rates(prompt, phase) for phase in ("decode", "prefill"))
        return {
            "decode_tokens_per_second": round(median(decode), 1),
            "prefill_tokens_per_second": round(median(prefill), 1),
            "decode_spread": [round(min(decode), 1), round(max(decode), 1)],
            "prefill_spread": [round(min(prefill), 1), round(max(prefill), 1)],
            "rounds": len(decode),
            "gigabytes_per_second": round(median(decode) * weights.bytes / 1e9, 2),
            "decode_multiply_adds_per_second": round(median(decode) * weights.multiply_adds),
            "prefill_multiply_adds_per_second": round(
                median(prefill) * weights.prefill_multiply_adds
            ),
        }


def versions(onglet: str) -> dict[str, str]:
    """System -> version, for Onglet the name of the build."""
    found = {system: vendor.package(name).version for system, name in PEER_PACKAGES.items()}
    found["transformers.js"] += f" (onnxruntime-web {found['onnxruntime-web']})"
    return {"onglet": onglet} | found


def quick(version: dict[str, str]) -> list[Contender]:
    """The embedded file with two threads, one round each."""
    systems = ("onglet", "wllama", "onnxruntime-web", "llama.cpp native")
    return [
        Contender(system, version[system], models.EMBEDDED, 2, answer_tokens=24)
        for system in systems
    ]


def full(version: dict[str, str]) -> list[Contender]:
    """Everybody. The slow ones have fewer rounds: see tests/bench/README.md."""

    def one(system: str, model: str, threads: int, rounds: int, **options) -> Contender:
        name = "onglet" if system.startswith("onglet") else system
        return Contender(system, version[name], model, threads, rounds, **options)

    fast = ("onglet", "llama.cpp native")
    found = [one(system, models.EMBEDDED, threads, ROUNDS) for threads in (2, 1) for system in fast]
    found += [one("onglet plain SIMD", models.EMBEDDED, 2, ROUNDS)]
    found += [one("onglet beside a busy process", models.EMBEDDED, 2, ROUNDS)]
    found += [one("wllama", models.EMBEDDED, 2, ROUNDS)]
    slow = ("wllama compat", "onnxruntime-web", "transformers.js")
    found += [one(system, models.EMBEDDED, 2, 1) for system in slow]
    found += [one(system, models.EMBEDDED, 1, 1) for system in ("wllama", "onnxruntime-web")]
    for model in models.MIXTURES:
        found += [one(system, model, 2, ROUNDS) for system in fast]
        found.append(one("wllama", model, 2, 1))
    for model in models.SYNTHETIC:
        short = {"prompts": ("short",), "answer_tokens": FEW_TOKENS, "not_asked": TOO_LONG}
        found += [one(system, model, 2, 1, **short) for system in (*fast, "wllama")]
    return found


def turns(contenders: list[Contender]) -> list[Contender]:
    """The order of the runs: in rounds, so that no one has the quiet minutes to itself."""
    longest = max(contender.rounds for contender in contenders)
    return [
        contender
        for number in range(longest)
        for contender in contenders
        if number < contender.rounds
    ]
