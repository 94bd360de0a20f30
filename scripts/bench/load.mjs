// One step of load, in a process of its own: signs its transactions, says so, and at a word on standard input sends them
// at a rate to one node and watches the blocks of another. Its task is JSON in the first argument, its result JSON on
// standard output.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createClient } from '@it-chain/client';
import {
  Block,
  KvOperation,
  decodeTransaction,
  keyPairFromSeed,
  signTransaction,
  toHex,
  utf8,
} from '@it-chain/contracts';

/** A batch goes out when it is full, or after this long. */
const BATCH = 100;
const BATCH_MS = 5;
/** Left out of the committed rate, in ms: the first blocks come later than the first transactions. */
const RAMP_MS = 1_000;
/** How long after the last transaction its block is waited for. */
const DRAIN_MS = 20_000;

const { feed, watch, rate, seconds, bytes, senders } = JSON.parse(process.argv[2]);
const feeder = createClient({ address: feed });
const watcher = createClient({ address: watch });

const terms = await feeder.signingTerms();
const { height } = await watcher.status();
const keys = Array.from({ length: senders }, (_, index) =>
  keyPairFromSeed(
    createHash('sha256')
      .update(`bench ${index} ${randomBytes(8).toString('hex')}`)
      .digest(),
  ),
);
const total = Math.round(rate * seconds);
const prepared = Array.from({ length: total }, (_, index) => sign(index));
const indexOf = new Map(prepared.map(({ id }, index) => [id, index]));
const seenAt = new Array(total);
let seen = 0;
let blocks = 0;

process.stdout.write('signed\n');
await once(process.stdin, 'data');

const stop = new AbortController();
const following = follow();
const started = performance.now();
/** When a transaction was due: a node that takes it late is late, so finality counts from here. */
const dueAt = (index) => started + (index * 1_000) / rate;

let rejected = 0;
let answered = 0;
for await (const results of feeder.submitStream(batches())) {
  answered += results.length;
  rejected += results.filter(({ status }) => status === 'rejected').length;
}
const sendingEnded = performance.now();
await Promise.race([following, new Promise((resolve) => setTimeout(resolve, DRAIN_MS))]);
stop.abort();

const latencies = seenAt.flatMap((at, index) => (at === undefined ? [] : [at - dueAt(index)])).sort((a, b) => a - b);
const from = started + RAMP_MS;
const to = started + seconds * 1_000;
const inside = seenAt.filter((at) => at !== undefined && at >= from && at < to).length;
process.stdout.write(
  `${JSON.stringify({
    offered: rate,
    taken: Math.round(answered / ((sendingEnded - started) / 1_000)),
    committedPerSecond: Math.round((inside * 1_000) / (to - from)),
    committed: seen,
    sent: total,
    rejected,
    blocks,
    p50: percentile(0.5),
    p99: percentile(0.99),
  })}\n`,
);
feeder.close();
watcher.close();

async function follow() {
  try {
    for await (const block of watcher.followBlocks(height + 1, { signal: stop.signal })) {
      const now = performance.now();
      const { transactions } = Block.decode(block.certified.block);
      if (transactions.length > 0) blocks += 1;
      for (const encoded of transactions) {
        const index = indexOf.get(toHex(decodeTransaction(encoded).id));
        if (index === undefined) continue;
        if (seenAt[index] === undefined) seen += 1;
        seenAt[index] ??= now;
      }
      if (seen === total) return;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}

async function* batches() {
  for (let next = 0; next < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1_000) * rate));
    while (next < due) {
      const slice = prepared.slice(next, Math.min(due, next + BATCH));
      next += slice.length;
      yield slice.map(({ encoded }) => encoded);
    }
    await new Promise((resolve) => setTimeout(resolve, BATCH_MS));
  }
}

function percentile(share) {
  if (latencies.length === 0) return null;
  return Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]);
}

function sign(index) {
  const payload = (pad) =>
    KvOperation.encode({ put: { key: utf8(`bench/${index % 50_000}`), value: new Uint8Array(pad) } });
  const draft = (pad) => ({
    network: terms.network,
    nonce: randomBytes(8),
    expiresAt: height + 50_000,
    application: payload(pad),
  });
  const pair = keys[index % keys.length];
  const empty = signTransaction(draft(0), pair).length;
  const encoded = signTransaction(draft(Math.max(0, bytes - empty - 2)), pair);
  return { encoded, id: toHex(decodeTransaction(encoded).id) };
}
