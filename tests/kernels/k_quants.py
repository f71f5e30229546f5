"""Quantizes to the types named K, in the plainest way: no search for better scales, all else as in
the files. (The gguf package only reads these types.) Source of the layouts: ggml-quants.c."""

import numpy
from numpy import float32, uint8

Array = numpy.ndarray


def q4_k(values: Array) -> bytes:
    """float32, a multiple of 256 of them -> blocks of 144 bytes"""
    quants, head = _with_minima(values, 15)
    return numpy.concatenate([head, _nibbles(quants)], axis=1).tobytes()


def q5_k(values: Array) -> bytes:
    """As q4_k; blocks of 176 bytes."""
    quants, head = _with_minima(values, 31)
    fifth = ((quants >> 4) << numpy.arange(8)[:, None]).sum(axis=1).astype(uint8)
    return numpy.concatenate([head, fifth, _nibbles(quants & 15)], axis=1).tobytes()


def q6_k(values: Array) -> bytes:
    """As q4_k; blocks of 210 bytes."""
    groups = values.reshape(-1, 16, 16).astype(float32)
    wanted = numpy.abs(groups).max(axis=2) / 31
    scale, factors = _factors(wanted, 127)
    steps = scale.astype(float32) * factors
    quants = numpy.clip(_round(groups, steps), -32, 31).astype(int).reshape(-1, 2, 4, 32) + 32
    low = quants.reshape(-1, 2, 2, 64) & 15
    twos = ((quants >> 4) << (2 * numpy.arange(4)[:, None])).sum(axis=2)
    parts = (
        (low[:, :, 0] | low[:, :, 1] << 4).reshape(-1, 128).astype(uint8),
        twos.reshape(-1, 64).astype(uint8),
        factors.astype(numpy.int8).view(uint8),
        scale.view(uint8),
    )
    return numpy.concatenate(parts, axis=1).tobytes()


QUANTIZE = {"Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k}


def _with_minima(values: Array, greatest: int) -> tuple[Array, Array]:
    """Quants (blocks, 8, 32), and the 16 bytes of scales that stand before them."""
    groups = values.reshape(-1, 8, 32).astype(float32)
    lowest = numpy.minimum(groups.min(axis=2), 0)
    scale, factors = _factors((groups.max(axis=2) - lowest) / greatest, 63)
    minimum, depths = _factors(-lowest, 63)
    floor = minimum.astype(float32) * depths
    steps = scale.astype(float32) * factors
    quants = numpy.clip(_round(groups + floor[..., None], steps), 0, greatest).astype(int)
    six = (
        factors[:, :4] | factors[:, 4:] >> 4 << 6,
        depths[:, :4] | depths[:, 4:] >> 4 << 6,
        factors[:, 4:] & 15 | (depths[:, 4:] & 15) << 4,
    )
    head = [scale.view(uint8), minimum.view(uint8), *(part.astype(uint8) for part in six)]
    return quants, numpy.concatenate(head, axis=1)


def _factors(wanted: Array, greatest: int) -> tuple[Array, Array]:
    """One half-precision scale a block and integer factors: about `wanted` together."""
    scale = (wanted.max(axis=1, keepdims=True) / greatest).astype("<f2")
    return scale, _round(wanted[..., None], scale.astype(float32))[..., 0].astype(int)


def _round(values: Array, steps: Array) -> Array:
    steps = steps[..., None]
    return numpy.rint(numpy.divide(values, steps, out=numpy.zeros_like(values), where=steps != 0))


def _nibbles(quants: Array) -> Array:
    pairs = quants.reshape(-1, 4, 2, 32)
    return (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128).astype(uint8)
