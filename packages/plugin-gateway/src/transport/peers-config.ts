import { z } from '@it-chain/contracts';
import { isAnyHost, parseEndpoint } from './address.js';

const MiB = 1024 * 1024;
const ms = (standard: number, what: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(1).max(86_400_000).default(standard).describe(`${what}, in ms.`);
const count = (standard: number, what: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(1).max(1_000_000).default(standard).describe(what);
const size = (standard: number, what: string): z.ZodDefault<z.ZodInt> =>
  z
    .int()
    .min(1_024)
    .max(1_024 * MiB)
    .default(standard)
    .describe(`${what}, in bytes.`);

const endpoint = z.string().refine((text) => parseEndpoint(text) !== undefined, 'expected HOST:PORT');

/** Bounds of everything that a peer or a stranger can use up. */
export const PeerLimits = z
  .strictObject({
    inbound: count(40, 'Sessions that others dialled.'),
    outbound: count(40, 'Sessions that this node dialled, counting dials under way.'),
    pending: count(128, 'Connections that have not proved who they are; past it the oldest of them is closed.'),
    pendingPerAddress: count(4, 'The same from one address; loopback is exempt.'),
    handshakeMs: ms(5_000, 'Limit for connecting with TLS, and again for the handshake'),
    probeMs: ms(2_000, 'Wait for a sign of life of an open session when its peer connects anew'),
    pingMs: ms(2_500, 'Silence after which a peer is asked for a sign of life'),
    deadMs: ms(10_000, 'Silence after which a session ends'),
    stallMs: ms(30_000, 'A peer that reads nothing for this long is disconnected'),
    sendBytes: size(8 * MiB, 'Bytes that wait for one peer; the last eighth is for the control lane alone'),
    messageBytes: z
      .int()
      .min(65_536)
      .max(4 * MiB)
      .default(4 * MiB)
      .describe('Longest message, in bytes.'),
    windowBytes: z
      .int()
      .min(65_535)
      .max(16 * MiB)
      .default(256 * 1024)
      .describe(
        'Bytes of one lane on their way to this node (HTTP/2 window): small keeps votes quick, large helps far links.',
      ),
    bytesPerSecond: size(50 * MiB, 'Received from one peer on one lane a second; past it the lane is read more slowly'),
    framesPerSecond: count(
      4_000,
      'Frames received from one peer on one lane a second; past it the lane is read more slowly.',
    ),
    fetches: count(64, 'Requests that wait for an answer, per peer and direction.'),
    bad: count(5, 'Breaches of the protocol within `badMs` that lead to a ban.'),
    badMs: ms(60_000, 'Time in which they are counted'),
    banMs: ms(600_000, 'First ban; each further one is twice as long'),
    maxBanMs: ms(86_400_000, 'Longest ban'),
  })
  .prefault({});
export type PeerLimits = z.output<typeof PeerLimits>;

/** The section `peers` of the gateway: where other nodes are met. */
export const PeersConfig = z
  .strictObject({
    listen: endpoint
      .default('127.0.0.1:7000')
      .describe('Where other nodes are accepted, as HOST:PORT; port 0 takes a free one.'),
    advertise: endpoint
      .optional()
      .describe(
        'HOST:PORT at which others reach this node, default the address of `listen`. Required where that is 0.0.0.0 or [::]; port 0 stands for the bound port.',
      ),
    tls: z
      .enum(['auto', 'always'])
      .default('auto')
      .describe('`auto` uses TLS wherever one end is not on loopback, `always` everywhere.'),
    insecure: z
      .boolean()
      .default(false)
      .describe('Speaks without TLS to every peer. Anybody on the way can then read and take over sessions.'),
    limits: PeerLimits,
  })
  .superRefine((peers, context) => {
    const listen = parseEndpoint(peers.listen);
    if (listen !== undefined && isAnyHost(listen.host) && peers.advertise === undefined) {
      context.addIssue({
        code: 'custom',
        path: ['advertise'],
        message: `is required when listening on ${listen.host}: give the HOST:PORT at which others reach this node`,
      });
    }
    if (peers.insecure && peers.tls === 'always') {
      context.addIssue({ code: 'custom', path: ['insecure'], message: 'contradicts tls: always' });
    }
  })
  .prefault({});
export type PeersConfig = z.output<typeof PeersConfig>;
