import random
import unittest

from sparse_tree import EMPTY, SparseTree


class SparseTreeTest(unittest.TestCase):
    # Made by the tree of @it-chain/contracts; `test/python-application.test.ts` compares both on real nodes.
    GOLDEN = {
        (): "00" * 32,
        ((b"a", b"1"),): "40b3aff522c0bae10cbe057e460498e836bd21445897adb3dcf19bd6198b7260",
        ((b"a", b"1"), (b"b", b"2"), (b"c", b"")): "81962e3de5228296b82db222b144242efd82f0e1008346bcb43d7fe5cd2aa615",
    }

    def test_golden_roots(self):
        for entries, root in self.GOLDEN.items():
            tree = SparseTree()
            for key, value in entries:
                tree = tree.with_value(key, value)
            self.assertEqual(tree.root.hex(), root)

    def test_the_root_depends_on_the_set_alone_and_old_trees_stay(self):
        chance = random.Random(7)
        model, tree, kept = {}, SparseTree(), []
        for _ in range(2_000):
            key = str(chance.randrange(200)).encode()
            value = None if chance.random() < 0.4 else str(chance.random()).encode()
            tree = tree.with_value(key, value)
            model.pop(key, None)
            if value is not None:
                model[key] = value
            if chance.random() < 0.02:
                kept.append((tree, tree.root, dict(model)))
        kept.append((tree, tree.root, model))
        for old, root, entries in kept:
            fresh = SparseTree()
            for key in sorted(entries, key=lambda _: chance.random()):
                fresh = fresh.with_value(key, entries[key])
            self.assertEqual((old.root, fresh.root), (root, root))
            self.assertEqual({key: value for _, key, value in old.entries()}, entries)
            self.assertTrue(all(old.get(key) == value for key, value in entries.items()))

    def test_taking_everything_out_is_the_empty_tree(self):
        tree = SparseTree()
        for key in range(100):
            tree = tree.with_value(bytes([key]), b"x")
        for key in reversed(range(100)):
            tree = tree.with_value(bytes([key]), None)
        self.assertEqual(tree.root, EMPTY)


if __name__ == "__main__":
    unittest.main()
