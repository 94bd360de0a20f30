// One step of load, in a process of its own: sends pre-signed transactions at a rate to one node and watches the blocks
// of another. Reads its task as JSON from the first argument, writes its result as JSON to stdout.
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
import { createHash, randomBytes } from 'node:crypto';

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
const prepared = [];
for (let index = 0; index < total; index += 1) prepared.push(sign(index));

const sentAt = new Map();
const seenAt = new Map();
let blocks = 0;
const stop = new AbortController();
const following = (async () => {
  try {
    for await (const block of watcher.followBlocks(height + 1, { signal: stop.signal })) {
      const now = performance.now();
      blocks += 1;
      for (const encoded of Block.decode(block.certified.block).transactions) {
        const id = toHex(decodeTransaction(encoded).id);
        if (sentAt.has(id)) seenAt.set(id, now);
      }
      if (seenAt.size === total) return;
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
})();

let rejected = 0;
let answered = 0;
const started = performance.now();
async function* batches() {
  let next = 0;
  while (next < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * rate));
    while (next < due) {
      const slice = prepared.slice(next, Math.min(due, next + 100));
      const now = performance.now();
      for (const { id } of slice) sentAt.set(id, now);
      next += slice.length;
      yield slice.map(({ encoded }) => encoded);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
for await (const results of feeder.submitStream(batches())) {
  for (const { status } of results) {
    answered += 1;
    if (status === 'rejected') rejected += 1;
  }
}
const sendingEnded = performance.now();
await Promise.race([following, new Promise((resolve) => setTimeout(resolve, 20_000))]);
stop.abort();

const latencies = [...seenAt].map(([id, at]) => at - sentAt.get(id)).sort((a, b) => a - b);
const window = [started + 1_000, started + seconds * 1_000];
const inside = [...seenAt.values()].filter((at) => at >= window[0] && at < window[1]).length;
const percentile = (p) =>
  latencies.length === 0
    ? null
    : Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * p))]);
process.stdout.write(
  `${JSON.stringify({
    offered: rate,
    achieved: Math.round(answered / ((sendingEnded - started) / 1000)),
    committedPerSecond: Math.round(inside / (seconds - 1)),
    committed: seenAt.size,
    sent: total,
    rejected,
    blocks,
    p50: percentile(0.5),
    p99: percentile(0.99),
  })}\n`,
);
feeder.close();
watcher.close();

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
