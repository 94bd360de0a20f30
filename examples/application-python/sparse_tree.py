"""The sparse Merkle tree of docs/bus.md ("The state tree"), in memory and immutable: a change gives another tree that
shares what is the same, so the trees of several blocks stand side by side."""

from hashlib import sha256

EMPTY = bytes(32)


def _hash(data):
    return sha256(data).digest()


def _bit(key_hash, depth):
    return (key_hash[depth >> 3] >> (7 - (depth & 7))) & 1


class _Leaf:
    __slots__ = ("hash", "key_hash", "key", "value")

    def __init__(self, key, value):
        self.key, self.value, self.key_hash = key, value, _hash(key)
        self.hash = _hash(b"\x02" + self.key_hash + _hash(value))


class _Branch:
    __slots__ = ("hash", "left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right
        self.hash = _hash(b"\x03" + _hash_of(left) + _hash_of(right))


def _hash_of(part):
    return EMPTY if part is None else part.hash


class SparseTree:
    """The root depends on the set of entries only."""

    __slots__ = ("_top",)

    def __init__(self, top=None):
        self._top = top

    @property
    def root(self):
        return _hash_of(self._top)

    def get(self, key):
        leaf = self._end_of(_hash(key))[0]
        return leaf.value if isinstance(leaf, _Leaf) and leaf.key == key else None

    def with_value(self, key, value):
        """The tree with this value under the key; None takes the key out."""
        if value is None:
            return SparseTree(_without(self._top, _hash(key), 0))
        return SparseTree(_with_leaf(self._top, _Leaf(key, value), 0))

    def prove(self, key):
        """Hashes beside the path, from the root down, and the other leaf that the path of an absent key ends at."""
        key_hash = _hash(key)
        end, siblings = self._end_of(key_hash)
        if end is None or end.key_hash == key_hash:
            return siblings, None
        return siblings, (end.key_hash, _hash(end.value))

    def entries(self):
        """Hash of the key, key and value of every entry, in the order of the hashes."""
        parts = [self._top]
        while parts:
            part = parts.pop()
            if isinstance(part, _Leaf):
                yield part.key_hash, part.key, part.value
            elif part is not None:
                parts += [part.right, part.left]

    def _end_of(self, key_hash):
        part, siblings = self._top, []
        while isinstance(part, _Branch):
            left = _bit(key_hash, len(siblings)) == 0
            siblings.append(_hash_of(part.right if left else part.left))
            part = part.left if left else part.right
        return part, siblings


def _with_leaf(part, leaf, depth):
    if part is None or (isinstance(part, _Leaf) and part.key_hash == leaf.key_hash):
        return leaf
    left = _bit(leaf.key_hash, depth) == 0
    if isinstance(part, _Leaf):
        # Both go down together until their paths part.
        if _bit(part.key_hash, depth) == _bit(leaf.key_hash, depth):
            below, other = _with_leaf(part, leaf, depth + 1), None
        else:
            below, other = leaf, part
        return _Branch(below, other) if left else _Branch(other, below)
    if left:
        return _Branch(_with_leaf(part.left, leaf, depth + 1), part.right)
    return _Branch(part.left, _with_leaf(part.right, leaf, depth + 1))


def _without(part, key_hash, depth):
    if part is None:
        return None
    if isinstance(part, _Leaf):
        return None if part.key_hash == key_hash else part
    left_side = _bit(key_hash, depth) == 0
    left = _without(part.left, key_hash, depth + 1) if left_side else part.left
    right = part.right if left_side else _without(part.right, key_hash, depth + 1)
    if left is part.left and right is part.right:
        return part
    # A subtree of one leaf is that leaf.
    if left is None and (right is None or isinstance(right, _Leaf)):
        return right
    if right is None and isinstance(left, _Leaf):
        return left
    return _Branch(left, right)
