"""Keeps an index of who sent what, from another process and in another language.

    .venv/bin/python audit.py --bus-file ../data/n1/bus-users/audit.json --index audit.sqlite
"""

import argparse
import logging
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# The classes that setup.sh generates import each other from the folder `generated`.
sys.path[:0] = [os.path.join(HERE, "..", "python-bus"), os.path.join(HERE, "generated")]

import audit_pb2  # noqa: E402
from itchain.bus.v1 import bus_pb2 as wire  # noqa: E402
from itchain.data.v1 import data_pb2 as data  # noqa: E402
from itchain_bus import Bus, BusError, Place, set_up_logging, stop_on_signals  # noqa: E402

from index import Index, transaction_id  # noqa: E402

log = logging.getLogger("audit")

CHAIN = "chain.v1"
COMMITTED = "block.committed.v1"
ROLE = "audit.v1"
MAX_FOUND = 1_000


class Audit:
    """An event only says that there may be more: the blocks themselves are asked for, from the last known height on, so
    nothing is missed that was committed while this program, the bus or the node was away."""

    def __init__(self, bus, index):
        self._bus, self._index = bus, index

    def register(self):
        self._bus.listen([COMMITTED], self.on_committed)
        calls = {
            "audit.find.v1": (audit_pb2.FindRequest, self.find),
            "audit.status.v1": (audit_pb2.StatusRequest, self.status),
        }
        self._bus.serve(ROLE, calls)
        self._bus.on_connected(self.catch_up)

    def on_committed(self, _address, body):
        committed = wire.BlockCommitted.FromString(body)
        if committed.height > self._index.height:
            self.catch_up()

    def catch_up(self):
        """Takes in every block that is not in the index."""
        while True:
            request = wire.BlockRangeRequest(max_count=200)
            # `from` is a word of Python, so the field is set by its name.
            setattr(request, "from", self._index.height + 1)
            try:
                answer = self._bus.call(CHAIN, "block.range.v1", request, wire.BlockRangeAnswer)
            except BusError as error:
                # The next event, or the next connect, tries again.
                log.warning("the blocks after %d are not to be had: %s", self._index.height, error)
                return
            if not answer.blocks:
                return
            self._index.add([_facts(certified) for certified in answer.blocks])
            log.info("the index goes up to %d", self._index.height)

    def find(self, request, _deadline):
        for name, value in (("sender", request.sender), ("id", request.id)):
            if len(value) not in (0, 32):
                raise BusError("ERR_DATA_INVALID", f"{name} has {len(value)} bytes, not 32")
        limit = min(request.limit or 100, MAX_FOUND)
        below = (request.below_height, request.below_index)
        rows = self._index.find(request.sender, request.id, below, limit + 1)
        answer = audit_pb2.FindAnswer(more=len(rows) > limit)
        for height, place, identity, sender, time, size, membership in rows[:limit]:
            answer.entries.add(
                height=height,
                index=place,
                id=identity,
                sender=sender,
                time=time,
                size=size,
                membership=bool(membership),
            )
        return answer

    def status(self, _request, _deadline):
        return audit_pb2.StatusAnswer(height=self._index.height, transactions=self._index.count)


def _facts(certified):
    """Height, time and transactions of a certified block."""
    block = data.Block.FromString(certified.block)
    header = data.BlockHeader.FromString(block.header)
    rows = []
    for encoded in block.transactions:
        transaction = data.Transaction.FromString(encoded)
        membership = transaction.WhichOneof("body") == "membership"
        size = transaction.membership.ByteSize() if membership else len(transaction.application)
        rows.append((transaction_id(encoded, transaction.network), transaction.sender, size, membership))
    return header.height, header.time, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Place.add_arguments(parser)
    parser.add_argument("--index", default="audit.sqlite", help="where the index is kept")
    arguments = parser.parse_args()
    set_up_logging()
    index = Index(arguments.index)
    bus = Bus(Place.of_arguments(arguments), "audit")
    Audit(bus, index).register()
    stop_on_signals(bus)
    try:
        bus.run()
    finally:
        index.close()


if __name__ == "__main__":
    main()
