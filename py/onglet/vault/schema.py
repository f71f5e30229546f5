"""The tables, as a list of steps from one version to the next. A step is never changed once it was
published: a new one is added.

`turn` is a tree: an edited question or another answer is a sibling, with the same parent. The words
of all turns, and of the passages of documents, are indexed for search (FTS5, without accents).
"""

from onglet.engine.errors import Refused
from onglet.vault.store import Store

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE folder (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL) STRICT""",
        """CREATE TABLE conversation (
            id TEXT PRIMARY KEY, title TEXT NOT NULL,
            folder TEXT REFERENCES folder(id) ON DELETE SET NULL,
            created REAL NOT NULL, changed REAL NOT NULL,
            deleted REAL,          -- when it was thrown away; gone for good a while later
            shown TEXT             -- the last turn of the branch on screen
        ) STRICT""",
        """CREATE TABLE turn (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
            conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
            parent TEXT, question TEXT NOT NULL, answer TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'writing', 'done')),
            created REAL NOT NULL,
            ended TEXT NOT NULL    -- JSON: figures or problem
        ) STRICT""",
        "CREATE INDEX turn_of ON turn (conversation, number)",
        "CREATE INDEX by_change ON conversation (changed)",
        """CREATE VIRTUAL TABLE words USING fts5(question, answer, content='turn',
            content_rowid='number', tokenize="unicode61 remove_diacritics 2")""",
        """CREATE TRIGGER turn_added AFTER INSERT ON turn BEGIN
            INSERT INTO words(rowid, question, answer)
                VALUES (new.number, new.question, new.answer);
        END""",
        """CREATE TRIGGER turn_removed AFTER DELETE ON turn BEGIN
            INSERT INTO words(words, rowid, question, answer)
                VALUES ('delete', old.number, old.question, old.answer);
        END""",
        """CREATE TRIGGER turn_changed AFTER UPDATE OF question, answer ON turn BEGIN
            INSERT INTO words(words, rowid, question, answer)
                VALUES ('delete', old.number, old.question, old.answer);
            INSERT INTO words(rowid, question, answer)
                VALUES (new.number, new.question, new.answer);
        END""",
    ),
    (
        "ALTER TABLE conversation ADD COLUMN agent TEXT",  # canonical, agents/config.py
        """CREATE TABLE agent (
            id TEXT PRIMARY KEY,   -- its hash
            document TEXT NOT NULL, created REAL NOT NULL, deleted REAL) STRICT""",
    ),
    (
        """CREATE TABLE note (     -- what agents are told to remember
            id TEXT PRIMARY KEY, text TEXT NOT NULL, created REAL NOT NULL, deleted REAL) STRICT""",
    ),
    (
        """CREATE TABLE document (
            id TEXT PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL,
            pages INTEGER,         -- null where the format has none
            created REAL NOT NULL,
            ready REAL,            -- when its last passage was written; before, it does not count
            deleted REAL) STRICT""",
        """CREATE TABLE passage (
            number INTEGER PRIMARY KEY,
            document TEXT NOT NULL REFERENCES document(id) ON DELETE CASCADE,
            place INTEGER NOT NULL,  -- in the document, from 0
            page INTEGER, headings TEXT NOT NULL, text TEXT NOT NULL,
            vector TEXT NOT NULL     -- base64 of 384 signed bytes; a length of 1 is 127
        ) STRICT""",
        "CREATE UNIQUE INDEX passage_of ON passage (document, place)",
        """CREATE VIRTUAL TABLE passage_words USING fts5(headings, text, content='passage',
            content_rowid='number', tokenize="porter unicode61 remove_diacritics 2")""",
        """CREATE TRIGGER passage_added AFTER INSERT ON passage BEGIN
            INSERT INTO passage_words(rowid, headings, text)
                VALUES (new.number, new.headings, new.text);
        END""",
        """CREATE TRIGGER passage_removed AFTER DELETE ON passage BEGIN
            INSERT INTO passage_words(passage_words, rowid, headings, text)
                VALUES ('delete', old.number, old.headings, old.text);
        END""",
    ),
    (
        """CREATE TABLE bench_case (  -- what an agent is tried with
            id TEXT PRIMARY KEY, subject TEXT NOT NULL,  -- the agent's hash
            question TEXT NOT NULL, expected TEXT NOT NULL,
            created REAL NOT NULL, deleted REAL) STRICT""",
        "CREATE INDEX case_of ON bench_case (subject)",
        """CREATE TABLE trial (
            id TEXT PRIMARY KEY,
            bench_case TEXT NOT NULL REFERENCES bench_case(id) ON DELETE CASCADE,
            subject TEXT NOT NULL, -- the hash of what answered then
            model TEXT NOT NULL, answer TEXT NOT NULL,
            held INTEGER,          -- whether it held what it had to; null: nothing was asked of it
            created REAL NOT NULL) STRICT""",
        "CREATE INDEX trial_of ON trial (bench_case, created)",
    ),
    (
        "ALTER TABLE document ADD COLUMN read REAL",  # when all of its passages were there
        # An empty vector is yet to be made. Only documents that count were whole before.
        "DELETE FROM document WHERE ready IS NULL",
        "UPDATE document SET read = ready",
    ),
    (
        """CREATE TABLE artifact (  -- small pages that models wrote
            id TEXT PRIMARY KEY, title TEXT NOT NULL, source TEXT NOT NULL,
            parent TEXT,           -- the one that it was made from by an edit
            created REAL NOT NULL, deleted REAL) STRICT""",
    ),
    (
        "ALTER TABLE document ADD COLUMN encoder TEXT",  # what made its vectors
        "CREATE INDEX passage_without_vector ON passage (document) WHERE vector = ''",
    ),
    (
        """CREATE TABLE schedule (  -- what runs by itself
            id TEXT PRIMARY KEY, document TEXT NOT NULL,  -- of an agent or a flow
            question TEXT NOT NULL,
            notes INTEGER NOT NULL,  -- whether it is given the notes
            rule TEXT NOT NULL,      -- agents/schedule.py
            created REAL NOT NULL,
            seen REAL NOT NULL,      -- the moment up to which its runs are told
            deleted REAL, paused INTEGER NOT NULL) STRICT""",
        """CREATE TABLE run (
            id TEXT PRIMARY KEY,
            schedule TEXT NOT NULL REFERENCES schedule(id) ON DELETE CASCADE,
            began REAL NOT NULL, state TEXT NOT NULL, answer TEXT NOT NULL,
            missed INTEGER NOT NULL, -- how many runs stand in this row
            steps TEXT NOT NULL      -- JSON: what each agent read and said
        ) STRICT""",
        "CREATE INDEX run_of ON run (schedule, began)",
    ),
    (
        # 1: read from a picture
        "ALTER TABLE passage ADD COLUMN seen INTEGER NOT NULL DEFAULT 0",
    ),
    (
        # the name of the collection that it is in; empty: in none
        "ALTER TABLE document ADD COLUMN collection TEXT NOT NULL DEFAULT ''",
    ),
)
VERSION = len(MIGRATIONS)


async def version(store: Store) -> int:
    ((row,),) = await store.read(["PRAGMA user_version"])
    return row[0]


async def migrate(store: Store) -> None:
    """Brings the tables up to this version. Raises Refused newer_store."""
    for number in range(await version(store), VERSION):
        steps = [[sql] for sql in MIGRATIONS[number]]
        try:
            await store.write(*steps, [f"PRAGMA user_version = {number + 1}"])
        except Exception:
            if await version(store) <= number:  # else another tab was quicker
                raise
    if await version(store) > VERSION:
        raise Refused("newer_store")
