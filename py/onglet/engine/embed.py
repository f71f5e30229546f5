"""Meanings of texts as vectors: all-MiniLM-L6-v2 (int8 weights), 384 values of length 1.

Texts are sorted by length so that a batch pads little. Source: Reimers and Gurevych, Sentence-BERT
(2019): the mean of the last hidden states. Knows nothing of documents.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from onglet.browser import workbench
from onglet.engine import onnx
from onglet.engine.wordpiece import WordPiece

if TYPE_CHECKING:
    import numpy as np

MODEL = "all-MiniLM-L6-v2"
WIDTH = 384
MOST_TOKENS = 256  # of one text; the publisher's own limit
BATCH_TOKENS = 2048  # padding included
BATCH_TEXTS = 32


class Embedder:
    """The model, open."""

    def __init__(self, session: onnx.Session, tokenizer: WordPiece):
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    async def open(cls) -> "Embedder":
        session = await onnx.load(MODEL)
        tokenizer = await workbench.read_site(workbench.places()["graphs"][MODEL]["tokenizer"])
        return cls(session, WordPiece.from_file(tokenizer))

    async def embed(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda done: None
    ) -> "np.ndarray":
        """One vector of float32 a text, shape (texts, 384), each of length 1."""
        import numpy as np

        tokens = [self._tokenizer.encode(text, MOST_TOKENS) for text in texts]
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        done = 0
        for batch in batches([len(each) for each in tokens]):
            vectors[batch] = await self._run([tokens[number] for number in batch])
            done += len(batch)
            progress(done)
        return vectors

    async def _run(self, tokens: list[list[int]]) -> "np.ndarray":
        import numpy as np

        shape = (len(tokens), max(map(len, tokens)))
        ids = np.full(shape, self._tokenizer.padding, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask}
        states = (await self._session.run(feeds))["last_hidden_state"]
        seen = mask[:, :, None].astype(np.float32)
        means = (states * seen).sum(axis=1) / seen.sum(axis=1)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Deals texts, by numbers of tokens, into batches of about one length, long ones first."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        longest = lengths[batch[0]] if batch else 0
        if batch and (len(batch) == BATCH_TEXTS or longest * (len(batch) + 1) > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
