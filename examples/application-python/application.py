"""Serves the role `application` of an it-chain node from another process.

    .venv/bin/python application.py --bus-file ../data/n1/bus-users/names.json
"""

import argparse
import collections
import logging
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# The classes that setup.sh generates import each other from the folder `generated`.
sys.path[:0] = [os.path.join(HERE, "..", "python-bus"), os.path.join(HERE, "generated")]

from itchain.bus.v1 import bus_pb2 as wire  # noqa: E402
from itchain.data.v1 import data_pb2 as data  # noqa: E402
from itchain_bus import Bus, BusError, Place, set_up_logging, stop_on_signals  # noqa: E402

import names  # noqa: E402
from generated import names_pb2  # noqa: E402
from sparse_tree import SparseTree  # noqa: E402

log = logging.getLogger("names")

# Trees by root: the committed one, and those of blocks that were executed and may be committed.
MAX_STATES = 8
STORAGE = "storage.v1"
MAX_REASON = 200


class Application:
    """Keeps nothing that lasts: chain writes what `execute` answers, and after a restart it is read from the store."""

    def __init__(self, bus):
        self._bus = bus
        self._states = collections.OrderedDict({SparseTree().root: SparseTree()})

    def register(self):
        self._bus.serve(
            "application.v1",
            {
                "application.info.v1": (wire.Nothing, self.info),
                "application.check.v1": (wire.ApplicationCheck, self.check),
                "application.execute.v1": (wire.ExecuteRequest, self.execute),
                "application.query.v1": (wire.QueryRequest, self.query),
                "application.snapshot.v1": (wire.StatePageRequest, self.snapshot),
                "application.restore.v1": (wire.RestoreRequest, self.restore),
            },
        )

    def info(self, _request, _deadline):
        return wire.ApplicationInfo(name=names.NAME, empty_root=SparseTree().root)

    def check(self, request, _deadline):
        verdicts = []
        for transaction in request.transactions:
            if names.read_operation(transaction.payload) is None:
                verdicts.append(
                    wire.ApplicationVerdict(ok=False, code="ERR_NAMES_MALFORMED", reason="no operation of names/1")
                )
            else:
                verdicts.append(wire.ApplicationVerdict(ok=True))
        return wire.ApplicationVerdicts(verdicts=verdicts)

    def execute(self, request, deadline):
        draft = names.Draft(self._at(request.previous_root, deadline))
        receipts = []
        for transaction in request.transactions:
            operation = names.read_operation(transaction.payload)
            code, message = names.apply(operation, transaction.sender, request.height, draft)
            receipts.append(wire.Receipt(id=transaction.id, code=code, message=message))
        tree, writes = draft.finish()
        self._keep(tree)
        return wire.ExecuteAnswer(receipts=receipts, root=tree.root, writes=_writes(writes))

    def query(self, request, deadline):
        if request.path != "get":
            return wire.QueryAnswer(code=1)
        tree = self._at(request.root, deadline)
        key = b"name/" + request.data
        value = tree.get(key)
        proof = b""
        if request.prove:
            siblings, other = tree.prove(key)
            message = data.SparseProof(siblings=siblings)
            if other is not None:
                message.other_key, message.other_value = other
            proof = message.SerializeToString()
        return wire.QueryAnswer(found=value is not None, data=value or b"", proof=proof)

    def snapshot(self, request, deadline):
        tree = self._at(request.root, deadline)
        page, size = names_pb2.NamePage(), 0
        last = None
        for key_hash, key, value in tree.entries():
            if request.cursor and key_hash <= request.cursor:
                continue
            if size >= max(request.max_bytes, 1):
                return wire.StatePage(page=page.SerializeToString(), next=last)
            page.entries.add(key=key, value=value)
            size += len(key) + len(value) + 8
            last = key_hash
        return wire.StatePage(page=page.SerializeToString())

    def restore(self, request, deadline):
        page = names_pb2.NamePage()
        try:
            page.ParseFromString(request.page)
        except Exception:
            raise BusError("ERR_DATA_MALFORMED", "the page of the state cannot be read") from None
        draft = names.Draft(self._at(request.previous_root, deadline))
        for entry in page.entries:
            draft.set(entry.key, entry.value)
        tree, writes = draft.finish()
        self._keep(tree)
        return wire.RestoreAnswer(root=tree.root, writes=_writes(writes))

    def _at(self, root, deadline):
        """The state at a root: one that is in memory, or the committed one."""
        known = self._states.get(root)
        if known is not None:
            return known
        stored = self._load(deadline)
        if stored.root != root:
            raise BusError(
                "ERR_APPLICATION_STALE_ROOT",
                f"the committed state is not the one at the root {root.hex()}",
                hint="Ask again at the root of the new tip.",
                retryable=True,
            )
        return self._keep(stored)

    def _load(self, deadline):
        began, tree, count = time.monotonic(), SparseTree(), 0
        request = wire.RangeRequest(namespace=wire.NAMESPACE_APP)
        while True:
            left = max(0.1, deadline - time.monotonic())
            page = self._bus.call(STORAGE, "storage.range.v1", request, wire.RangeAnswer, timeout=left)
            for entry in page.entries:
                tree = tree.with_value(entry.key, entry.value)
            count += len(page.entries)
            if not page.more or not page.entries:
                log.info("read %d names from the store in %.2f s", count, time.monotonic() - began)
                return tree
            # `from` is a word of Python, so the field is set by its name. The next key behind the last one.
            setattr(request, "from", page.entries[-1].key + b"\0")

    def _keep(self, tree):
        self._states[tree.root] = tree
        self._states.move_to_end(tree.root)
        if len(self._states) > MAX_STATES:
            self._states.popitem(last=False)
        return tree


def _writes(writes):
    return [
        wire.ApplicationWrite(key=key) if value is None else wire.ApplicationWrite(key=key, value=value)
        for key, value in writes
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Place.add_arguments(parser)
    set_up_logging()
    bus = Bus(Place.of_arguments(parser.parse_args()), "names")
    Application(bus).register()
    stop_on_signals(bus)
    bus.run()


if __name__ == "__main__":
    main()
