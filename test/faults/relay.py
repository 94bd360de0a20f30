# relay.py ifA ifB delay_ms jitter_ms loss(0..1): passes packets between two interfaces with delay, jitter and loss.
# For kernels without netem. Jitter can change the order of packets, as it does on real links.
import heapq
import random
import select
import socket
import sys
import time

a, b = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for _ in "ab")
a.bind((sys.argv[1], 0))
b.bind((sys.argv[2], 0))
delay, jitter, loss = float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 1e3, float(sys.argv[5])
peer = {a: b, b: a}
queue, count = [], 0
while True:
    now = time.monotonic()
    while queue and queue[0][0] <= now:
        _, _, out, frame = heapq.heappop(queue)
        try:
            out.send(frame)
        except OSError:
            pass  # the link is down: the packet is lost, as on a real one
    wait = max(0, queue[0][0] - now) if queue else 1
    for source in select.select([a, b], [], [], wait)[0]:
        frame, address = source.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING or random.random() < loss:
            continue
        count += 1
        due = time.monotonic() + delay + random.uniform(-jitter, jitter)
        heapq.heappush(queue, (due, count, peer[source], frame))
