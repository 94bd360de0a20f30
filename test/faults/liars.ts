import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Block } from '@it-chain/contracts';
import { DEEDS_FILE, ORDER_FILE, type EvilOrder } from '../evil-node/evil-consensus.js';
import { until } from '../support/until.js';
import { pause, type Arena } from './arena.js';
import { metric, nextBlock } from './measures.js';
import { fourWithLiar } from './plans.js';
import type { Facts, Scenario, TierName } from './scenario.js';

/** Tells the liar what to be. */
function order(arena: Arena, behaviour: string): EvilOrder {
  const next = { behaviour, since: Date.now() };
  const file = join(arena.liars[0]?.dataDir ?? '', ORDER_FILE);
  writeFileSync(`${file}.new`, JSON.stringify(next));
  renameSync(`${file}.new`, file);
  return next;
}

/** How often the liar has done what it was told. */
function deedsOf(arena: Arena, { since }: EvilOrder): number {
  try {
    const read = JSON.parse(readFileSync(join(arena.liars[0]?.dataDir ?? '', DEEDS_FILE), 'utf8')) as {
      since: number;
      deeds: number;
    };
    return read.since === since ? read.deeds : 0;
  } catch {
    // The file is being written at this moment.
    return 0;
  }
}

/** A row of the battery: the liar does it at least so often while blocks go on, and then what is expected holds. */
interface Lie {
  readonly id: string;
  readonly title: string;
  readonly deeds: Readonly<Record<TierName, number>>;
  readonly counts: Scenario['counts'];
  /** What must be seen, besides the invariants: gives facts, or throws. */
  readonly expect?: (arena: Arena, before: Before) => Promise<Facts>;
}

interface Before {
  readonly evidence: number;
  readonly dropped: number;
  readonly forged: number;
}

const DROPPED = 'consensus_dropped_total';
/** Connections whose other end did not prove its key on this very connection. */
const FORGED = 'p2p_inbound_refused_total{reason="ERR_PEER_HANDSHAKE"}';

/** A counter over all honest nodes. */
async function total(arena: Arena, name: string): Promise<number> {
  const all = await Promise.all(arena.nodes.map((_node, index) => metric(arena, index, name)));
  return all.reduce((sum, one) => sum + one, 0);
}

/** Somebody has caught the liar, and says so over the API. */
async function accused(arena: Arena, { evidence }: Before): Promise<Facts> {
  const seen = await until(
    'evidence against the liar',
    () => arena.watch.evidence.length - evidence || undefined,
    20_000,
  );
  return { evidence: seen };
}

/** Messages were refused at the door. */
async function refused(arena: Arena, before: Before): Promise<Facts> {
  const more = await until(
    'messages that are dropped',
    async () => (await total(arena, DROPPED)) - before.dropped || undefined,
    20_000,
  );
  return { dropped: more };
}

/** Sessions said again are refused at the door, and transactions sent again stay where they are. */
async function notTwice(arena: Arena, { forged }: Before): Promise<Facts> {
  const [page] = await arena.client(0).blocks(Math.max(1, arena.watch.height - 20), 1);
  const old = page === undefined ? [] : Block.decode(page.certified.block).transactions.slice(0, 20);
  if (old.length === 0) throw new Error('there is no old transaction to send again');
  for (let index = 0; index < arena.nodes.length; index += 1) {
    for (const { status } of await arena.client(index).submit(old)) {
      if (status !== 'committed' && status !== 'rejected') throw new Error(`an old transaction is ${status} again`);
    }
  }
  const sessions = await until(
    'sessions said again that are refused',
    async () => (await total(arena, FORGED)) - forged || undefined,
    20_000,
  );
  return { oldTransactions: old.length, refusedSessions: sessions };
}

/** The honest nodes still have their sessions to each other. */
async function connected(arena: Arena): Promise<Facts> {
  const honest = new Set(arena.nodes.map(({ nodeId }) => nodeId));
  for (const [index, node] of arena.nodes.entries()) {
    const peers = (await arena.client(index).peers()).filter(
      ({ nodeId, connected: open }) => open && honest.has(nodeId),
    );
    if (peers.length !== honest.size - 1) throw new Error(`${node.name} has ${peers.length} sessions to honest nodes`);
  }
  return {};
}

function lie({ id, title, deeds, counts, expect }: Lie): Scenario {
  return {
    id,
    title,
    arena: fourWithLiar,
    counts,
    async run(arena, { tier }) {
      // A ban from before has an end.
      await until(
        'the liar to be among the peers',
        async () => (await arena.client(0).status()).peers === arena.nodes.length,
        20_000,
      );
      const before = {
        evidence: arena.watch.evidence.length,
        dropped: await total(arena, DROPPED),
        forged: await total(arena, FORGED),
      };
      const from = arena.watch.height;
      const start = performance.now();
      const given = order(arena, id);
      const wanted = deeds[tier];
      const done = await until(
        `${wanted} deeds of ${id}`,
        () => {
          const count = deedsOf(arena, given);
          return count >= wanted && count;
        },
        60_000,
      );
      await nextBlock(arena, arena.watch.height + 1, 20_000);
      const facts = (await expect?.(arena, before)) ?? {};
      order(arena, '');
      await pause(500);
      const blocks = arena.watch.height - from;
      return { facts: { deeds: done, blocks, longestGapMs: Math.round(arena.watch.longestGap(start)), ...facts } };
    },
  };
}

const rarely = { ci: 0, 'tier 1': 0, 'tier 2': 1 } as const;

/** Liars among the validators, n = 4 and f = 1. */
export const liars: readonly Scenario[] = [
  lie({
    id: 'B1',
    title: 'a leader that equivocates: no fork, and evidence',
    deeds: { ci: 2, 'tier 1': 5, 'tier 2': 50 },
    counts: { ci: 1, 'tier 1': 1, 'tier 2': 1 },
    expect: accused,
  }),
  lie({
    id: 'B5',
    title: 'certificates with too few signers, one signer many times, or strangers: no block on their word',
    deeds: { ci: 12, 'tier 1': 60, 'tier 2': 200 },
    counts: { ci: 1, 'tier 1': 1, 'tier 2': 1 },
    expect: refused,
  }),
  lie({
    id: 'B2',
    title: 'two votes in every step: counted once, and evidence',
    deeds: { ci: 10, 'tier 1': 50, 'tier 2': 50 },
    counts: rarely,
    expect: accused,
  }),
  lie({
    id: 'B3',
    title: 'votes with false signatures, of others, of strangers, for another network: dropped, and a ban',
    deeds: { ci: 20, 'tier 1': 200, 'tier 2': 200 },
    counts: rarely,
    expect: refused,
  }),
  lie({
    id: 'B4',
    title: 'old messages, old transactions and the bytes of an old session said again',
    deeds: { ci: 100, 'tier 1': 200, 'tier 2': 200 },
    counts: rarely,
    expect: notTwice,
  }),
  lie({
    id: 'B6',
    title: 'blocks with a wrong parent, height, root, time or body',
    deeds: { ci: 14, 'tier 1': 28, 'tier 2': 100 },
    counts: rarely,
  }),
  lie({
    id: 'B7',
    title: 'a leader that is silent, late, or speaks to one only',
    deeds: { ci: 6, 'tier 1': 12, 'tier 2': 20 },
    counts: rarely,
  }),
  lie({
    id: 'B8',
    title: 'oversize and lying frames, a compressed bomb, rapid resets',
    deeds: { ci: 36, 'tier 1': 100, 'tier 2': 100 },
    counts: rarely,
    expect: connected,
  }),
  lie({
    id: 'B9',
    title: 'hundreds of connections that never finish a handshake',
    deeds: { ci: 500, 'tier 1': 1_000, 'tier 2': 1_000 },
    counts: rarely,
    expect: connected,
  }),
  lie({
    id: 'B10',
    title: 'thousands of messages a second inside a session',
    deeds: { ci: 10_000, 'tier 1': 30_000, 'tier 2': 30_000 },
    counts: rarely,
    expect: refused,
  }),
];
