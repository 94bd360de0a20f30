"""The state machine: who owns which name. Deterministic: every result follows from the state before and the
transactions, so all nodes come to the same root. It knows nothing of the bus."""

import re

from generated import names_pb2

NAME = "names/1"
_VALID = re.compile(r"[a-z0-9-]{1,64}")

# Codes of a receipt; 0 is done. A refused transaction is in the block and changes nothing.
MALFORMED, TAKEN, NOT_YOURS, UNKNOWN = 1, 2, 3, 4


def key_of(name):
    return b"name/" + name.encode()


def record_of(owner, height):
    """What is kept under a name: 32 bytes of owner, 8 bytes of the height since when."""
    return owner + height.to_bytes(8, "big")


def read_operation(payload):
    """The kind and the fields of a payload, or None. What is not understood is no error: the receipt refuses it."""
    operation = names_pb2.NameOperation()
    try:
        operation.ParseFromString(payload)
    except Exception:  # The library's own class of error differs between its implementations.
        return None
    kind = operation.WhichOneof("operation")
    if kind is None:
        return None
    fields = getattr(operation, kind)
    if _VALID.fullmatch(fields.name) is None:
        return None
    if kind == "transfer" and len(fields.to) != 32:
        return None
    return kind, fields


def apply(operation, sender, height, state):
    """Executes one operation on a Draft: code and message of its receipt."""
    if operation is None:
        return MALFORMED, "the payload is no operation of names/1"
    kind, fields = operation
    key = key_of(fields.name)
    record = state.get(key)
    if kind == "claim":
        if record is not None:
            return TAKEN, f"{fields.name} has an owner"
        state.set(key, record_of(sender, height))
        return 0, ""
    if record is None:
        return UNKNOWN, f"nobody owns {fields.name}"
    if record[:32] != sender:
        return NOT_YOURS, f"{fields.name} belongs to another key"
    state.set(key, record_of(fields.to, height) if kind == "transfer" else None)
    return 0, ""


class Draft:
    """A block being executed on a tree, which stays what it is."""

    def __init__(self, tree):
        self._tree = tree
        self._changed = {}

    def get(self, key):
        return self._changed[key] if key in self._changed else self._tree.get(key)

    def set(self, key, value):
        self._changed[key] = value

    def finish(self):
        """The tree after the block, and the writes that lead there in the order of their keys."""
        tree, writes = self._tree, []
        for key in sorted(self._changed):
            value = self._changed[key]
            if value == self._tree.get(key):
                continue
            tree = tree.with_value(key, value)
            writes.append((key, value))
        return tree, writes
