import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Behaviour, EvilHands } from './behaviours.js';
import { malformedStreams, pathOf } from './http2-streams.js';

const MAX_SOCKETS = 500;

/** Addresses at which the peers of this node are dialled. */
export async function addresses({ sessions }: EvilHands): Promise<{ host: string; port: number }[]> {
  const open = await sessions();
  return open.flatMap(({ hello }) =>
    hello.addresses.slice(0, 1).map((address) => {
      const at = address.lastIndexOf(':');
      return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
    }),
  );
}

/** B8: connections that prove nothing and send oversize, malformed and lying frames. */
export function malformedFrames(hands: EvilHands): Behaviour {
  let next = 0;
  return {
    async tick() {
      const streams = malformedStreams(pathOf('itchain.peer.v1.Peer', 'Control'), hands.random);
      for (const { host, port } of await addresses(hands)) {
        const bytes = streams[next % streams.length] ?? Buffer.alloc(0);
        const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
          hands.did();
          socket.write(bytes);
        });
        socket.setTimeout(3_000, () => socket.destroy());
        socket.on('error', () => undefined); // Being cut off is what is expected.
        socket.resume();
      }
      next += 1;
    },
  };
}

/** B9: hundreds of connections that say one byte a second, and never finish a handshake. */
export function slowConnections(hands: EvilHands): Behaviour {
  const sockets = new Set<Socket>();
  return {
    async tick() {
      const targets = await addresses(hands);
      for (const { host, port } of targets) {
        for (let count = 0; count < 10 && sockets.size < MAX_SOCKETS; count += 1) {
          const socket = connectTcp({ host, port }, () => hands.did());
          sockets.add(socket);
          // The head of a TLS record that announces a ClientHello of 16 KB.
          const hello = Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00, 0x01]);
          let said = 0;
          const timer = setInterval(
            () => socket.write(hello.subarray(said % 6, (said % 6) + 1), () => (said += 1)),
            1_000,
          );
          socket.on('error', () => undefined); // As above.
          socket.on('close', () => {
            clearInterval(timer);
            sockets.delete(socket);
          });
          socket.resume();
        }
      }
    },
  };
}

/** B10: thousands of messages a second inside a session, half of them noise. */
export function floods(hands: EvilHands): Behaviour {
  let last: Uint8Array | undefined;
  return {
    hear: (body) => (last = Uint8Array.from(body)),
    async tick() {
      const peers = (await hands.sessions()).map(({ nodeId }) => nodeId);
      for (let count = 0; count < 500; count += 1) {
        const valid = count % 2 === 0 && last !== undefined;
        await hands.send(peers, valid ? (last ?? new Uint8Array(0)) : hands.random(100));
        hands.did(peers.length);
      }
    },
  };
}
