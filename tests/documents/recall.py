"""Recall of 100 questions on a real manual, and how near questions on other things come.

Not a test: `python -m tests.documents.recall` prints the figures of docs/measurements.md.
"""

import asyncio
import base64
import json
import tempfile
from pathlib import Path

import numpy as np

from onglet import workshop
from onglet.documents import search
from onglet.documents.library import ENCODER
from onglet.vault.papers import Entry, Papers
from onglet.vault.schema import migrate
from onglet.vault.store import FileStore
from onglet_build.browser import chromium
from onglet_build.driver import App
from onglet_build.kept_site import keep
from onglet_build.loopback import Loopback
from onglet_build.policy import HEADERS
from tests.browser.workshop_driver import Workshop
from tests.manual import manual

QUESTIONS = json.loads(Path(__file__).with_name("questions.json").read_text())
BATCH = 32
TOP = 5
BOUNDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45)


def embedded(shop: Workshop, texts: list[str]) -> list[str]:
    """Vectors as the workshop gives them."""
    parts = [texts[first : first + BATCH] for first in range(0, len(texts), BATCH)]
    return [vector for part in parts for vector in shop.ask("embed", texts=part)["value"]]


def read() -> tuple[list, list[str], list[str], list[str]]:
    """Passages of the manual, their vectors, those of the questions, those of the others."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Loopback({"/": keep(Path(folder))}, headers=HEADERS) as server,
        chromium() as browser,
    ):
        page = browser.new_context().new_page()
        shop = Workshop(App(page, server.url + "?model=none").open().wait_live().page)
        name = manual().name
        found = shop.ask("read_document", name, manual().read_bytes())["value"]
        passages = found["passages"]
        texts = [f"{above}\n{text}" if above else text for text, _, above, _ in passages]
        asked = [row["question"] for row in QUESTIONS["asked"]]
        vectors = [embedded(shop, each) for each in (texts, asked, QUESTIONS["other"])]
    return passages, *vectors


def numbers_of(vector: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(vector), np.int8)


async def figures(passages: list, vectors: list[str], asked: list[str], other: list[str]) -> dict:
    store = FileStore()
    await migrate(store)
    papers = Papers(store)
    await papers.begin(Entry("m", "manual", 1, 63), ENCODER)
    rows = [(place, *rest, text, seen) for place, (text, *rest, seen) in enumerate(passages)]
    await papers.add("m", rows)
    fresh = [number for number, _, _ in await papers.without_vector("m", len(rows))]
    await papers.set_vectors(list(zip(fresh, vectors, strict=True)))
    await papers.finish("m")
    kept = await papers.vectors(["m"])
    whole = np.array([numbers_of(vector) for _, vector in kept])
    numbers = [number for number, _ in kept]
    pages = {each.number: each.page for each in await papers.numbered(numbers)}
    hits = {"hybrid": 0, "words": 0, "vectors": 0}
    best = []
    for row, vector in zip(QUESTIONS["asked"], asked, strict=True):
        near = workshop.ranked(numbers_of(vector), numbers, whole, search.EACH)
        words = await papers.with_words(search.query(row["question"]), ["m"], search.EACH)
        meant = [number for number, _ in near]
        joined = [number for number, _ in search.fused(words, meant)]
        for name, ranking in (("hybrid", joined), ("words", words), ("vectors", meant)):
            hits[name] += any(pages[number] in row["pages"] for number in ranking[:TOP])
        best.append(near[0][1])
    far = [workshop.ranked(numbers_of(vector), numbers, whole, 1)[0][1] for vector in other]
    kept_back = {
        bound: (sum(each < bound for each in best), sum(each < bound for each in far))
        for bound in BOUNDS
    }
    return {"passages": len(passages), "recall": hits, "below": kept_back}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(figures(*read()))))
