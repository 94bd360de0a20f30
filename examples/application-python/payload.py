"""Prints the payload of a transaction in hex.

    it-chain tx send 0x$(.venv/bin/python payload.py claim alice) --wait
    it-chain tx send 0x$(.venv/bin/python payload.py transfer alice PUBLICKEY) --wait
"""

import argparse

from generated import names_pb2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("claim", "transfer", "release"):
        one = verbs.add_parser(verb)
        one.add_argument("name")
        if verb == "transfer":
            one.add_argument("to", type=bytes.fromhex)
    arguments = parser.parse_args()
    operation = names_pb2.NameOperation()
    fields = getattr(operation, arguments.verb)
    fields.SetInParent()
    fields.name = arguments.name
    if arguments.verb == "transfer":
        fields.to = arguments.to
    print(operation.SerializeToString().hex())


if __name__ == "__main__":
    main()
