"""The index of the audit plugin: SQLite, one row for each committed transaction. It knows nothing of the bus."""

import sqlite3
from hashlib import sha256

_SCHEMA = """
create table if not exists entry (
  height integer not null, place integer not null, id blob not null unique, sender blob not null,
  time integer not null, size integer not null, membership integer not null, primary key (height, place)
);
create index if not exists by_sender on entry (sender, height desc, place desc);
create table if not exists progress (one integer primary key check (one = 1), height integer not null);
insert or ignore into progress values (1, 0);
"""

# Tag, network and content are hashed one after the other; the length of the tag stands in front of it.
_TAG = b"it-chain/transaction/1"
# Key, length and 64 bytes: the signature is the last field of the canonical form, and no part of the id.
_SIGNATURE_FIELD = 66


def transaction_id(encoded, network):
    """The id of an encoded transaction, as docs/bus.md defines it."""
    return sha256(bytes([len(_TAG)]) + _TAG + network + encoded[:-_SIGNATURE_FIELD]).digest()


class Index:
    """`height` is how far it goes without a gap; a block and that height are written in one step."""

    def __init__(self, path):
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = full;")
        self._db.executescript(_SCHEMA)

    @property
    def height(self):
        return self._db.execute("select height from progress").fetchone()[0]

    @property
    def count(self):
        return self._db.execute("select count(*) from entry").fetchone()[0]

    def add(self, blocks):
        """Adds blocks that follow on the last one: (height, time, [(id, sender, size, membership)])."""
        self._db.execute("begin immediate")
        try:
            for height, time, transactions in blocks:
                if height != self.height + 1:
                    raise ValueError(f"block {height} does not follow on {self.height}")
                rows = [(height, place, *row[:2], time, *row[2:]) for place, row in enumerate(transactions)]
                self._db.executemany("insert into entry values (?, ?, ?, ?, ?, ?, ?)", rows)
                self._db.execute("update progress set height = ?", (height,))
            self._db.execute("commit")
        except BaseException:
            self._db.execute("rollback")
            raise

    def find(self, sender, identity, below, limit):
        """Rows (height, place, id, sender, time, size, membership), the newest first; `below` is (height, place)."""
        conditions, values = [], []
        if sender:
            conditions.append("sender = ?")
            values.append(sender)
        if identity:
            conditions.append("id = ?")
            values.append(identity)
        if below[0] > 0:
            conditions.append("(height, place) < (?, ?)")
            values += below
        where = f"where {' and '.join(conditions)}" if conditions else ""
        order = "order by height desc, place desc limit ?"
        return self._db.execute(f"select * from entry {where} {order}", (*values, limit)).fetchall()

    def close(self):
        self._db.close()
