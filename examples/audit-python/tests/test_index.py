import os
import tempfile
import unittest

from index import Index, transaction_id


def block(height, *names):
    return height, 1_000 * height, [(bytes([name]) * 32, bytes([name % 2]) * 32, 10, 0) for name in names]


class IndexTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "index.sqlite")
        self.index = Index(self.path)

    def tearDown(self):
        self.index.close()
        self.folder.cleanup()

    def ids(self, sender=b"", identity=b"", below=(0, 0), limit=100):
        return [row[2][0] for row in self.index.find(sender, identity, below, limit)]

    def test_finds_the_newest_first_and_page_by_page(self):
        self.index.add([block(1, 1, 2), block(2), block(3, 3, 4, 5)])
        self.assertEqual(self.index.height, 3)
        self.assertEqual(self.ids(), [5, 4, 3, 2, 1])
        self.assertEqual(self.ids(limit=2), [5, 4])
        self.assertEqual(self.ids(below=(3, 1), limit=2), [3, 2])
        self.assertEqual(self.ids(sender=bytes([1]) * 32), [5, 3, 1])
        self.assertEqual(self.ids(identity=bytes([4]) * 32), [4])

    def test_a_gap_or_a_repetition_changes_nothing(self):
        self.index.add([block(1, 1)])
        for wrong in ([block(3, 3)], [block(1, 1)], [block(2, 2), block(4, 4)]):
            with self.assertRaises(ValueError):
                self.index.add(wrong)
            self.assertEqual((self.index.height, self.ids()), (1, [1]))

    def test_what_was_added_is_there_after_reopening(self):
        self.index.add([block(1, 1)])
        self.index.close()
        self.index = Index(self.path)
        self.assertEqual((self.index.height, self.ids()), (1, [1]))

    def test_the_id_leaves_out_the_signature(self):
        network = bytes(32)
        one, other = b"content" + b"\x7a\x40" + bytes(64), b"content" + b"\x7a\x40" + bytes([1]) * 64
        self.assertEqual(transaction_id(one, network), transaction_id(other, network))
        self.assertNotEqual(transaction_id(one, network), transaction_id(b"C" + one[1:], network))


if __name__ == "__main__":
    unittest.main()
