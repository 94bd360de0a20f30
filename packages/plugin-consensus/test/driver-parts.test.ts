import { expect } from 'chai';
import fc from 'fast-check';
import {
  type EquivocationEvidence,
  certificateChecks,
  hasCode,
  keyPairFromSeed,
  sha256,
  signBytes,
  toHex,
  utf8,
  verifySignature,
  voteSigningBytes,
  type Certificate,
  type Chain,
  type ChainTip,
  type TxPool,
} from '@it-chain/contracts';
import { ManualClock, MemoryStorage, RecordingLog } from '@it-chain/testkit';
import { createState, step, type ConsensusMessage, type LogRecord, type State } from '@it-chain/plugin-consensus';
import { Accusation } from '../dist/driver/accusation.js';
import { Lag } from '../dist/driver/lag.js';
import { Ledger } from '../dist/driver/ledger.js';
import { QuorumWatch } from '../dist/driver/quorum-watch.js';
import { Promotion } from '../dist/driver/promotion.js';
import { VerifiedCache } from '../dist/driver/verified-cache.js';
import { VoteLog } from '../dist/driver/wal.js';
import { decodeMessage, encodeMessage } from '../dist/machine/messages.js';
import {
  NETWORK,
  blockOn,
  digestOf,
  genesisTip,
  keyOf,
  optionsOf,
  roundChangeVote,
  tipAfter,
  voteOf,
} from './support/fixtures.js';

const block = blockOn(genesisTip(4), 0, 1, [utf8('tx')]);
const digest = digestOf(block);

function records(): LogRecord[] {
  const prepares = [0, 1, 2].map((signer) => voteOf(signer, 'prepare', 1, 0, digest));
  const prepared = { round: 0, digest };
  return [
    {
      message: { kind: 'proposal', vote: voteOf(0, 'proposal', 1, 0, digest), block, roundChanges: [], prepares: [] },
      prepares: [],
    },
    { message: { kind: 'prepare', vote: voteOf(0, 'prepare', 1, 0, digest) }, block, prepares: [] },
    { message: { kind: 'commit', vote: voteOf(0, 'commit', 1, 0, digest) }, block, prepares },
    {
      message: { kind: 'round-change', vote: roundChangeVote(0, 1, 1, prepared), prepared, block, prepares },
      prepares: [],
    },
  ];
}

const openLog = (storage: MemoryStorage): VoteLog =>
  new VoteLog({ network: NETWORK }, { storage, log: new RecordingLog() });

async function written(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const log = openLog(storage);
  for (const record of records()) await log.append(record);
  return storage;
}

const entriesOf = (storage: MemoryStorage): ReturnType<MemoryStorage['range']> =>
  storage.range({ namespace: 'wal', from: new Uint8Array(0), limit: 0, maxBytes: 0, reverse: false });
const put = (storage: MemoryStorage, key: Uint8Array, value?: Uint8Array): Promise<unknown> =>
  storage.write({ writes: [{ namespace: 'wal', key, value }], when: [], sync: true, writer: '', sequence: 0 });

describe('the log of votes', () => {
  it('gives back what was written, in the order of writing, with every block', async () => {
    const loaded = await openLog(await written()).load(1);
    const plain = (all: readonly LogRecord[]): string =>
      all
        .map(
          (record) =>
            toHex(encodeMessage(record.message, NETWORK, 0)) +
            String(record.prepares.length) +
            toHex(record.block?.header ?? new Uint8Array(0)),
        )
        .join();
    expect(plain(loaded.records)).to.equal(plain(records()));
    expect(loaded.highest).to.equal(1);
  });

  it('holds a block once, however many records are about it', async () => {
    const { entries } = await entriesOf(await written());
    const header = Buffer.from(block.header);
    expect(entries.filter(({ value }) => Buffer.from(value).includes(header))).to.have.length(1);
  });

  it('goes on numbering after a restart', async () => {
    const storage = await written();
    const log = openLog(storage);
    await log.load(1);
    await log.append({
      message: {
        kind: 'round-change',
        vote: roundChangeVote(0, 1, 2),
        prepared: undefined,
        block: undefined,
        prepares: [],
      },
      prepares: [],
    });
    expect((await openLog(storage).load(1)).records).to.have.length(5);
  });

  it('a missing record is an error, whichever it is but the last', async () => {
    const { entries } = await entriesOf(await written());
    const order = await openLog(await written()).load(1);
    expect(order.records).to.have.length(entries.length);
    let errors = 0;
    for (const { key } of entries) {
      const storage = await written();
      await put(storage, key);
      try {
        await openLog(storage).load(1);
      } catch (error) {
        errors += hasCode(error, 'ERR_CONSENSUS_LOG_DAMAGED') ? 1 : 0;
      }
    }
    expect(errors).to.equal(entries.length - 1);
  });

  it('a damaged byte anywhere is found: the last record is dropped, any other stops the node', async () => {
    const { entries } = await entriesOf(await written());
    for (const { key, value } of entries) {
      for (let at = 0; at < value.length; at += 7) {
        const storage = await written();
        const damaged = Uint8Array.from(value);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        await put(storage, key, damaged);
        const outcome = await openLog(storage)
          .load(1)
          .then(
            ({ records: left }) => left.length,
            (error: unknown) => hasCode(error, 'ERR_CONSENSUS_LOG_DAMAGED'),
          );
        expect(outcome === true || outcome === entries.length - 1, `byte ${at}`).to.equal(true);
      }
    }
  });

  it('records above the open height are seen: the chain has lost blocks', async () => {
    const loaded = await openLog(await written()).load(1);
    expect(loaded.highest).to.equal(1);
    const storage = await written();
    await openLog(storage).append({
      message: { kind: 'prepare', vote: voteOf(0, 'prepare', 9, 0, digest) },
      block,
      prepares: [],
    });
    expect((await openLog(storage).load(1)).highest).to.equal(9);
  });
});

describe('the lock of the ledger', () => {
  const ledgerOn = (tip: () => ChainTip, told: number[], passed: number[] = []): Ledger =>
    new Ledger({
      chain: { tip: () => Promise.resolve(tip()) } as Partial<Chain> as Chain,
      txpool: {} as TxPool,
      clock: new ManualClock(),
      log: new RecordingLog(),
      onTip: ({ height }) => void told.push(height),
      onUncommittable: () => undefined,
      onDiverged: () => undefined,
      onPassed: ({ height }) => void passed.push(height),
      isStopped: () => false,
      failpoint: () => undefined,
    });

  it('shows a decision that a range has overtaken to whoever compares it with what was committed', async () => {
    const passed: number[] = [];
    const start = genesisTip(4);
    const ledger = ledgerOn(() => ({ ...start, height: 3 }), [], passed);
    const block = blockOn(start, 0);
    const certificate = { height: 1, round: 0, digest: digestOf(block), seals: [] };
    await ledger.commit({ type: 'decide', height: 1, digest: certificate.digest, block, stored: true, certificate });
    expect(passed).to.deep.equal([1]);
  });

  it('tells what was committed although the work failed behind it, and is free again', async () => {
    let tip: ChainTip = genesisTip(4);
    const told: number[] = [];
    const ledger = ledgerOn(() => tip, told);
    const run = ledger.exclusive(() => {
      // Three blocks of a range, then a disk that fails: whoever waits for the tip must not wait for the poll.
      tip = { ...tip, height: 3 };
      return Promise.reject(new Error('the disk'));
    });
    expect(ledger.isBusy).to.equal(true);
    expect(await run.catch((error: unknown) => (error as Error).message)).to.equal('the disk');
    expect(told).to.deep.equal([3]);
    expect(ledger.isBusy).to.equal(false);
  });
});

describe('the watch over the quorum', () => {
  it('tells that it is gone once it stays so, once, and when it is back', () => {
    const state = createState(optionsOf(0));
    step(state, { type: 'start', tip: genesisTip(4), records: [] });
    const log = new RecordingLog();
    const watch = new QuorumWatch(log);
    const look = (times: number): string[] => {
      for (let turn = 0; turn < times; turn += 1) watch.look(state);
      return log.lines.splice(0).map(({ level, fields }) => `${level} ${String(fields['code'] ?? fields['present'])}`);
    };
    expect(look(1)).to.deep.equal([]);
    expect(look(5)).to.deep.equal(['warn ERR_CONSENSUS_NO_QUORUM']);
    for (const peer of [1, 2]) step(state, { type: 'connected', peer: keyOf(peer) });
    expect(look(3)).to.deep.equal(['info 3']);
    step(state, { type: 'disconnected', peer: keyOf(1) });
    expect(look(1)).to.deep.equal([]);
    step(state, { type: 'connected', peer: keyOf(1) });
    expect(look(2)).to.deep.equal([]);
  });

  it('is of no concern to those who do not vote', () => {
    const state = createState(optionsOf(9));
    step(state, { type: 'start', tip: genesisTip(4), records: [] });
    const log = new RecordingLog();
    const watch = new QuorumWatch(log);
    for (let turn = 0; turn < 5; turn += 1) watch.look(state);
    expect(log.lines).to.deep.equal([]);
  });
});

describe('lag', () => {
  const peer = keyOf(1);

  /** A lag at height 0 that follows a peer, as a machine would be told. */
  function lagging(): { readonly lag: Lag; readonly state: State; readonly syncs: () => number } {
    const state = createState(optionsOf(0));
    step(state, { type: 'start', tip: genesisTip(4), records: [] });
    step(state, { type: 'connected', peer });
    step(state, { type: 'message', from: peer, content: statusOf(0), attempt: 0 });
    let syncs = 0;
    const lag = new Lag({
      state: () => state,
      input: (input) => void step(state, input),
      sync: () => (syncs += 1),
    });
    return { lag, state, syncs: () => syncs };
  }
  const statusOf = (height: number): ConsensusMessage => ({
    kind: 'status',
    height,
    digest: new Uint8Array(32),
    round: 0,
  });

  it('fetches at once where a peer is ahead, and once for each height it tells', () => {
    const { lag, syncs } = lagging();
    lag.onAhead(peer, 2);
    lag.onAhead(peer, 2);
    expect(syncs()).to.equal(1);
  });

  it('waits for a block that is about to be committed, and comes back to it where that was not enough', () => {
    const { lag, state, syncs } = lagging();
    state.at.deciding = 'aa';
    lag.onAhead(peer, 2);
    expect(syncs()).to.equal(0);
    step(state, { type: 'committed', tip: tipAfter(genesisTip(4), blockOn(genesisTip(4), 0)) });
    lag.onTip();
    expect(syncs()).to.equal(1);
    lag.onTip();
    expect(syncs()).to.equal(1);
  });

  it('leaves it at that where the commit was enough', () => {
    const { lag, state, syncs } = lagging();
    state.at.deciding = 'aa';
    lag.onAhead(peer, 1);
    step(state, { type: 'committed', tip: tipAfter(genesisTip(4), blockOn(genesisTip(4), 0)) });
    lag.onTip();
    expect(syncs()).to.equal(0);
  });
});

describe('certificates', () => {
  const keys = [0, 1, 2, 3].map((index) => keyPairFromSeed(sha256(utf8(`key ${index}`))));
  const set = { validators: keys.map(({ publicKey }, sequence) => ({ publicKey, sequence })) };
  const sealOf = (validator: number, round = 2): { validator: number; signature: Uint8Array } => ({
    validator,
    signature: signBytes(
      voteSigningBytes(NETWORK, { type: 'commit', height: 5, round, digest }),
      keys[validator]?.secretKey ?? new Uint8Array(64),
    ),
  });
  const certificate = (seals: readonly number[]): Certificate => ({
    height: 5,
    round: 2,
    digest,
    seals: seals.map((one) => sealOf(one)),
  });
  const isValid = (given: Certificate): boolean =>
    certificateChecks(given, NETWORK, set, digest).every(({ publicKey, message, signature }) =>
      verifySignature(publicKey, message, signature),
    );
  const refusal = (given: Certificate, of = digest): unknown => {
    try {
      return certificateChecks(given, NETWORK, set, of);
    } catch (error) {
      return hasCode(error, 'ERR_CERTIFICATE_INVALID') ? 'refused' : error;
    }
  };

  it('a quorum of distinct members proves a block, and no more than a quorum is verified', () => {
    expect(isValid(certificate([0, 1, 2]))).to.equal(true);
    expect(certificateChecks(certificate([3, 2, 1, 0]), NETWORK, set, digest)).to.have.length(3);
  });

  it('refuses too few, the same one twice, strangers, more than there are, and another digest', () => {
    expect(refusal(certificate([0, 1]))).to.equal('refused');
    expect(refusal(certificate([0, 1, 1]))).to.equal('refused');
    expect(
      refusal({
        ...certificate([0, 1]),
        seals: [sealOf(0), sealOf(1), { validator: 4, signature: new Uint8Array(64) }],
      }),
    ).to.equal('refused');
    expect(refusal({ ...certificate([0]), seals: [0, 1, 2, 3, 0].map((one) => sealOf(one)) })).to.equal('refused');
    expect(refusal(certificate([0, 1, 2]), new Uint8Array(32))).to.equal('refused');
  });

  it('a seal of another round, height or validator does not verify', () => {
    expect(isValid({ ...certificate([]), seals: [sealOf(0), sealOf(1), sealOf(2, 3)] })).to.equal(false);
    expect(isValid({ ...certificate([0, 1, 2]), height: 6 })).to.equal(false);
    expect(isValid({ ...certificate([]), seals: [sealOf(0), sealOf(1), { ...sealOf(2), validator: 3 }] })).to.equal(
      false,
    );
  });
});

describe('promotion', () => {
  const learner = (index: number): { publicKey: Uint8Array; name: string; sequence: number } => ({
    publicKey: keyOf(index),
    name: '',
    sequence: index,
  });
  const hex = (index: number): string => Buffer.from(keyOf(index)).toString('hex');
  const lags = (...of: readonly (readonly [number, number])[]): Map<string, { lag: number }> =>
    new Map(of.map(([index, lag]) => [hex(index), { lag }]));
  const options = { growth: 'skip-two', healthyMs: 100, retryMs: 1_000 } as const;

  it('skip-two: one stays one until two are healthy, then both at once', () => {
    const promotion = new Promotion(options);
    const tip = { ...genesisTip(1), learners: [learner(1), learner(2)] };
    promotion.observe(0, tip, lags([1, 0], [2, 50]));
    expect(promotion.due(200, tip)).to.have.length(0);
    promotion.observe(300, tip, lags([1, 0], [2, 2]));
    expect(promotion.due(350, tip)).to.have.length(0);
    expect(promotion.due(400, tip)).to.have.length(2);
  });

  it('skip-two: from three on one at a time', () => {
    const promotion = new Promotion(options);
    const tip = { ...genesisTip(3), learners: [learner(5), learner(6)] };
    promotion.observe(0, tip, lags([5, 0], [6, 0]));
    expect(promotion.due(100, tip)).to.deep.equal([keyOf(5)]);
  });

  it('immediate: each as soon as it is healthy', () => {
    const promotion = new Promotion({ ...options, growth: 'immediate' });
    const tip = { ...genesisTip(1), learners: [learner(1)] };
    promotion.observe(0, tip, lags([1, 0]));
    expect(promotion.due(100, tip)).to.deep.equal([keyOf(1)]);
  });

  it('a lapse begins the time anew, and a pending proposal is not repeated until it is old', () => {
    const promotion = new Promotion({ ...options, growth: 'immediate' });
    const tip = { ...genesisTip(1), learners: [learner(1)] };
    promotion.observe(0, tip, lags([1, 0]));
    promotion.observe(50, tip, lags([1, 3]));
    promotion.observe(60, tip, lags([1, 0]));
    expect(promotion.due(100, tip)).to.have.length(0);
    promotion.proposed(160, promotion.due(160, tip));
    expect(promotion.due(500, tip)).to.have.length(0);
    expect(promotion.due(1_160, tip)).to.have.length(1);
  });
});

describe('accusation', () => {
  const [digest, signature] = [new Uint8Array(32), new Uint8Array(64)];
  const halves = { firstDigest: digest, firstSignature: signature, secondDigest: digest, secondSignature: signature };
  const evidenceOf = (index: number, round = 0): { evidence: EquivocationEvidence; seen: number } => ({
    evidence: { publicKey: keyOf(index), type: 'prepare', height: 1, round, ...halves },
    seen: 0,
  });
  const hex = (index: number): string => Buffer.from(keyOf(index)).toString('hex');
  const place = (self: number, leader: number) => ({ tip: genesisTip(4), self: hex(self), leader: hex(leader) });
  const options = { retryMs: 1_000, maxTries: 2 };

  it('is made at once by the leader, and by anybody where the leader is the accused', () => {
    const kept = [evidenceOf(3)];
    expect(new Accusation(options).due(0, place(0, 0), kept)).to.equal(kept[0]?.evidence);
    expect(new Accusation(options).due(0, place(1, 3), kept)).to.equal(kept[0]?.evidence);
  });

  it('is left to the leader for a while', () => {
    const accusation = new Accusation(options);
    expect(accusation.due(5, place(1, 0), [evidenceOf(3)])).to.equal(undefined);
    expect(accusation.due(1_004, place(1, 0), [evidenceOf(3)])).to.equal(undefined);
    expect(accusation.due(1_005, place(1, 0), [evidenceOf(3)])).to.not.equal(undefined);
  });

  it('is repeated as often as the config says, and not before it is old', () => {
    const accusation = new Accusation(options);
    const made: number[] = [];
    for (let now = 0; now < 10_000; now += 100) {
      const evidence = accusation.due(now, place(0, 0), [evidenceOf(3)]);
      if (evidence === undefined) continue;
      made.push(now);
      accusation.accused(now, evidence);
    }
    expect(made).to.deep.equal([0, 1_000]);
  });

  it('is one at a time of each validator, whatever is kept of it', () => {
    const accusation = new Accusation(options);
    const kept = [evidenceOf(3, 2), evidenceOf(3, 1), evidenceOf(2)];
    const made: number[] = [];
    for (let now = 0; now < 500; now += 100) {
      const evidence = accusation.due(now, place(0, 0), kept);
      if (evidence === undefined) continue;
      made.push(kept.findIndex((one) => one.evidence === evidence));
      accusation.accused(now, evidence);
    }
    expect(made).to.deep.equal([0, 2]);
  });

  it('is about validators only, never about the node itself, and made by validators only', () => {
    expect(new Accusation(options).due(0, place(0, 0), [evidenceOf(0), evidenceOf(7)])).to.equal(undefined);
    expect(new Accusation(options).due(0, place(7, 7), [evidenceOf(3)])).to.equal(undefined);
  });
});

describe('bounds', () => {
  it('the cache of verified signatures forgets the oldest', () => {
    const cache = new VerifiedCache({ capacity: 10 });
    for (let index = 0; index < 100; index += 1) cache.add(`${index}`);
    expect(cache.has('99')).to.equal(true);
    expect(Array.from({ length: 100 }, (_, index) => cache.has(`${index}`)).filter(Boolean).length).to.be.at.most(10);
  });

  it('property: no bytes make the decoder fail with anything but its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          decodeMessage(bytes);
        } catch (error) {
          expect(hasCode(error, 'ERR_DATA_MALFORMED')).to.equal(true);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
