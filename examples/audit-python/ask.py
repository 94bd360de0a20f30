"""Asks the audit plugin over the bus, as any other program of the node may.

    .venv/bin/python ask.py --bus-file ../data/n1/bus.json --sender HEX
"""

import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "python-bus"), os.path.join(HERE, "generated")]

import audit_pb2  # noqa: E402
from itchain_bus import Bus, BusError, Place, set_up_logging  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Place.add_arguments(parser)
    parser.add_argument("--sender", type=bytes.fromhex, default=b"", help="public key, hex")
    parser.add_argument("--id", type=bytes.fromhex, default=b"", help="id of a transaction, hex")
    parser.add_argument("--limit", type=int, default=100)
    arguments = parser.parse_args()
    set_up_logging()
    bus = Bus(Place.of_arguments(arguments), "ask")
    bus.open()
    try:
        status = bus.call("audit.v1", "audit.status.v1", audit_pb2.StatusRequest(), audit_pb2.StatusAnswer)
        request = audit_pb2.FindRequest(sender=arguments.sender, id=arguments.id, limit=arguments.limit)
        found = bus.call("audit.v1", "audit.find.v1", request, audit_pb2.FindAnswer)
    except BusError as error:
        sys.exit(str(error))
    finally:
        bus.close()
    entries = [
        {
            "height": one.height,
            "index": one.index,
            "id": one.id.hex(),
            "sender": one.sender.hex(),
            "time": one.time,
            "size": one.size,
            "membership": one.membership,
        }
        for one in found.entries
    ]
    print(json.dumps({"height": status.height, "entries": entries, "more": found.more}))


if __name__ == "__main__":
    main()
