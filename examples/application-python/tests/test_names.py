import unittest

import names
from generated import names_pb2
from sparse_tree import SparseTree

ALICE, BOB = b"A" * 32, b"B" * 32


def payload(kind, name, to=None):
    operation = names_pb2.NameOperation()
    fields = getattr(operation, kind)
    fields.SetInParent()
    fields.name = name
    if to is not None:
        fields.to = to
    return operation.SerializeToString()


class NamesTest(unittest.TestCase):
    def setUp(self):
        self.tree = SparseTree()

    def run_block(self, *steps, height=1):
        """Executes (sender, payload) steps as one block; gives the codes."""
        draft = names.Draft(self.tree)
        codes = [names.apply(names.read_operation(data), sender, height, draft)[0] for sender, data in steps]
        self.tree, writes = draft.finish()
        return codes, writes

    def owner(self, name):
        record = self.tree.get(names.key_of(name))
        return None if record is None else record[:32]

    def test_a_name_has_one_owner_who_gives_it_away_or_back(self):
        claim, give, free = payload("claim", "x"), payload("transfer", "x", BOB), payload("release", "x")
        self.assertEqual(self.run_block((ALICE, claim), (BOB, claim), (BOB, give))[0], [0, names.TAKEN, names.NOT_YOURS])
        self.assertEqual(self.run_block((ALICE, give), (ALICE, free))[0], [0, names.NOT_YOURS])
        self.assertEqual(self.owner("x"), BOB)
        self.assertEqual(self.run_block((BOB, free), (BOB, free))[0], [0, names.UNKNOWN])
        self.assertIsNone(self.owner("x"))

    def test_what_comes_back_to_what_it_was_is_no_write(self):
        before = self.tree.root
        codes, writes = self.run_block((ALICE, payload("claim", "x")), (ALICE, payload("release", "x")))
        self.assertEqual((codes, writes, self.tree.root), ([0, 0], [], before))

    def test_no_payload_fails(self):
        strange = [b"", b"\xff", b"\x0a\x00", b"\x0a\x02\x0a\x00", payload("claim", "UPPER"), payload("claim", "a" * 65)]
        strange += [payload("transfer", "x", b"short"), payload("claim", "a\n"), b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        codes, writes = self.run_block(*((ALICE, one) for one in strange))
        self.assertEqual((codes, writes), ([names.MALFORMED] * len(strange), []))


if __name__ == "__main__":
    unittest.main()
