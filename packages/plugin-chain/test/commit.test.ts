import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  Certificate,
  Chain,
  GENESIS_DEFAULTS,
  Genesis,
  chainKeys,
  hasCode,
  heightKey,
  p2pKeys,
  networkOf,
  sameBytes,
  toHex,
  transactionId,
  transactionRootOf,
  utf8,
  type WriteRequest,
} from '@it-chain/contracts';
import { settle } from '@it-chain/testkit';
import {
  ChainFixture,
  START,
  certify,
  contents,
  digestOf,
  genesisOf,
  idOf,
  keysOf,
  transaction,
  withHeader,
} from './fixture.js';

const solo = genesisOf(['alice']);
const start = (genesis = solo, config: object = {}): Promise<ChainFixture> =>
  new ChainFixture('alice', genesis, undefined, config).start();

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return '';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe('the chain', () => {
  it("C1: block, certificate, receipts, indexes, the application's writes and the tip are one synced batch on the condition that the tip is the parent", async () => {
    const node = await start();
    await node.advance();
    await node.storage.write({
      writes: [1, 2, 3].map((height) => ({ namespace: 'wal' as const, key: heightKey(height), value: utf8('x') })),
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    const parent = (await node.storage.read({ namespace: 'chain', keys: [chainKeys.tip] })).values[0]?.value;
    const requests: WriteRequest[] = [];
    node.storage.beforeWrite = (request) => requests.push(request);
    const sent = transaction(solo, 'bob', { text: 'a=1' });
    await node.advance(sent);
    // The body, before anybody votes for it; then the commit.
    expect(requests.map(({ sync }) => sync)).to.deep.equal([true, true]);
    const commit = requests[1];
    expect(commit?.when.map(({ namespace }) => namespace)).to.deep.equal(['chain', 'p2p']);
    expect(sameBytes(commit?.when[0]?.value ?? new Uint8Array(0), parent ?? new Uint8Array(1))).to.equal(true);
    expect(sameBytes(commit?.when[1]?.value ?? new Uint8Array(0), Genesis.encode(solo))).to.equal(true);
    const written = (commit?.writes ?? []).map(
      ({ namespace, key, value }) =>
        `${namespace}/${Buffer.from(key)
          .toString('latin1')
          .replace(/[^a-z/].*/s, '')}${value ? '' : ' -'}`,
    );
    expect(written).to.have.members([
      'chain/h/',
      'chain/d/',
      'chain/r/',
      'chain/t/',
      'chain/system',
      'chain/tip',
      'app/a',
      'wal/ -',
    ]);
    const { entries } = await node.storage.range({
      namespace: 'wal',
      from: new Uint8Array(0),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    expect(entries.map(({ key }) => toHex(key))).to.deep.equal([2, 3].map((height) => toHex(heightKey(height))));
  });

  it('C1: where the genesis in the store is another one, nothing is written', async () => {
    const node = await start();
    const { digest } = await node.chain.build({ height: 1 });
    const certificate = certify(await node.tip(), digest);
    const other = Genesis.encode(genesisOf(['bob']));
    await node.storage.write({
      writes: [{ namespace: 'p2p', key: p2pKeys.genesis, value: other }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    const before = await contents(node.storage);
    expect(await codeOf(node.commit(1, digest, certificate))).to.equal('ERR_STORAGE_CONDITION');
    expect(await contents(node.storage)).to.deep.equal(before);
    expect((await node.tip()).height).to.equal(0);
  });

  it('C1: a write whose answer was lost counts as what the store says it is', async () => {
    const node = await start();
    const { digest } = await node.chain.build({ height: 1 });
    const certificate = certify(await node.tip(), digest);
    const write = node.storage.write.bind(node.storage);
    node.storage.write = async (request) => {
      await write(request);
      throw new Error('the answer is lost');
    };
    expect((await node.commit(1, digest, certificate)).height).to.equal(1);
    node.storage.write = write;
    await node.advance();
    expect((await node.tip()).height).to.equal(2);
  });

  it('C2: a block that breaks a rule is answered as not valid with the rule, and changes nothing', async () => {
    const node = await start();
    const committed = transaction(solo, 'bob');
    await node.advance(committed);
    const good = [transaction(solo, 'bob', { text: 'a=1' }), transaction(solo, 'carol', { text: 'b=2' })];
    node.pooled = good;
    const { block } = await node.chain.build({ height: 2 });
    node.pooled = [];
    const fresh = await node.restart();
    const before = await contents(fresh.storage);
    const rawId = (encoded: Uint8Array): Uint8Array => transactionId(encoded, networkOf(solo));
    const bodied = (transactions: Uint8Array[]): Block => ({
      ...withHeader(block, {
        transactionCount: transactions.length,
        transactionRoot: transactionRootOf(transactions.map(rawId), transactions),
      }),
      transactions,
    });
    const forged = Uint8Array.from(good[0] ?? []);
    forged[forged.length - 10] = (forged[forged.length - 10] ?? 0) ^ 1;
    const cases: [string, Block, string][] = [
      ['no header', { ...block, header: utf8('garbage') }, 'BlockHeader'],
      [
        'a long form of the header',
        { ...block, header: Buffer.concat([block.header, Buffer.from([0x78, 0])]) },
        'canonical',
      ],
      ['version', withHeader(block, { version: 2 }), 'version'],
      ['network', withHeader(block, { network: new Uint8Array(32) }), 'network'],
      ['height', withHeader(block, { height: 3 }), 'height'],
      ['parent', withHeader(block, { previous: new Uint8Array(32) }), 'parent'],
      ['time', withHeader(block, { time: START + 1_000 }), 'time'],
      ['proposer', withHeader(block, { proposer: keysOf('mallory').publicKey }), 'proposer'],
      ['sequence', withHeader(block, { proposerSequence: 7 }), 'sequence'],
      ['root', withHeader(block, { transactionRoot: new Uint8Array(32) }), 'transaction root'],
      ['count', withHeader(block, { transactionCount: 1 }), 'transactions'],
      ['state root', withHeader(block, { previousStateRoot: new Uint8Array(32) }), 'state root'],
      ['validators', withHeader(block, { validators: new Uint8Array(32) }), 'validator set'],
      ['next validators', withHeader(block, { nextValidators: new Uint8Array(32) }), 'next validator set'],
      ['order', { ...block, transactions: [...block.transactions].reverse() }, 'transaction root'],
      ['twice in the block', bodied([...good, ...good]), 'twice'],
      ['committed before', bodied([committed]), 'committed at height 1'],
      ['expired', bodied([transaction(solo, 'bob', { expiresAt: 1 })]), 'expired'],
      ['beyond the window', bodied([transaction(solo, 'bob', { expiresAt: 103 })]), 'window'],
      ['another network', bodied([transaction(genesisOf(['eve']), 'bob')]), 'another network'],
      ['a forged signature', bodied([forged]), 'signature'],
      [
        'garbage',
        bodied([utf8('garbage, and long enough to have room for a signature in it, is it not')]),
        'cannot be read',
      ],
      ['too many', bodied(Array.from({ length: 11 }, () => transaction(solo, 'bob'))), 'more than 10'],
      ['too large', bodied([transaction(solo, 'bob', { text: 'x'.repeat(1_000) })]), 'bytes'],
      [
        'too many bytes',
        bodied(Array.from({ length: 5 }, () => transaction(solo, 'bob', { text: 'x'.repeat(750) }))),
        'bytes',
      ],
    ];
    for (const [title, wrong, rule] of cases) {
      expect(await fresh.reason(wrong), title).to.include(rule);
    }
    expect(await contents(fresh.storage)).to.deep.equal(before);
    expect((await fresh.tip()).height).to.equal(1);
    // The same header was in some of the refused ones: only the body was wrong, and that is not held against it.
    expect(await fresh.reason(block)).to.equal('');
    expect(await fresh.reason({ ...block, transactions: [forged, ...block.transactions.slice(1)] })).to.include('root');
    expect(await fresh.reason(block)).to.equal('');
  });

  it('C3: the same blocks give the same digests and state roots on every node', async () => {
    const genesis = genesisOf(['alice', 'bob', 'carol']);
    const names = ['alice', 'bob', 'carol'];
    const nodes = await Promise.all(names.map((name) => new ChainFixture(name, genesis).start()));
    for (let height = 1; height <= 6; height += 1) {
      const leader = nodes[height % 3]!;
      leader.pooled = Array.from({ length: height }, (_, at) =>
        transaction(genesis, 'dave', { text: at % 3 === 2 ? 'bad' : `k${at}=${height}` }),
      );
      const { block, digest } = await leader.chain.build({ height });
      const certificate = certify(await leader.tip(), digest);
      for (const node of nodes) {
        expect(await node.chain.check({ block, fresh: true })).to.deep.include({ valid: true, reason: '' });
      }
      const tips = await Promise.all(nodes.map((node) => node.commit(height, digest, certificate)));
      expect(new Set(tips.map((tip) => toHex(tip.stateRoot))).size).to.equal(1);
      expect(new Set(tips.map((tip) => toHex(tip.digest))).size).to.equal(1);
      leader.pooled = [];
    }
    const late = await new ChainFixture('dave', genesis).start();
    const { blocks } = await nodes[0]!.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
    for (const [at, { block, certificate }] of blocks.entries()) {
      const read = Block.decode(block);
      await late.commit(at + 1, digestOf(read, genesis), Certificate.decode(certificate), read);
    }
    expect(await late.tip()).to.deep.equal(await nodes[0]!.tip());
    expect(toHex((await late.tip()).applicationRoot)).to.equal(toHex(await late.application.root()));
  });

  it('C4: a transaction id is committed at most once in the window of the network', async () => {
    const genesis = genesisOf(['alice'], { window: 3 });
    const node = await start(genesis);
    const first = transaction(genesis, 'bob', { expiresAt: 4 });
    await node.advance(first);
    for (let height = 2; height <= 3; height += 1) {
      const { block } = await node.advance(first);
      expect(block.transactions).to.deep.equal([]);
    }
    expect((await node.chain.locate({ ids: [idOf(first)] })).transactions[0]?.location).to.deep.equal({
      height: 1,
      index: 0,
    });
    await node.advance(first);
    // Expired now, so its id can be forgotten: no block may hold it any more.
    expect((await node.chain.locate({ ids: [idOf(first)] })).transactions[0]).to.deep.equal({});
    expect((await node.advance(first)).block.transactions).to.deep.equal([]);
  });

  it('C7: check is a function of the chain and the block, but for the time of a fresh block', async () => {
    const node = await start();
    const { block } = await node.chain.build({ height: 1 });
    const late = withHeader(block, { time: node.clock.now() + 10_001 });
    expect(await node.reason(late, true)).to.include('future');
    expect(await node.reason(late, false)).to.equal('');
    expect(await node.reason(late, true)).to.include('future');
    await node.clock.advance(2);
    expect(await node.reason(late, true)).to.equal('');
  });

  it('C7: goes on after clocks that were an hour ahead were put right, one millisecond a block', async () => {
    const node = await start();
    const { block } = await node.chain.build({ height: 1 });
    const ahead = withHeader(block, { time: node.clock.now() + 3_600_000 });
    await node.commit(1, digestOf(ahead, solo), certify(await node.tip(), digestOf(ahead, solo)), ahead);
    const next = (await node.chain.build({ height: 2 })).block;
    const { time } = await node.tip();
    expect(BlockHeader.decode(next.header).time).to.equal(time + 1);
    expect(await node.reason(next, true)).to.equal('');
    expect(await node.reason(withHeader(next, { time: time + 2 }), true)).to.include('future');
  });

  it('verifies only the signatures that the pool has not, and each once', async () => {
    const genesis = genesisOf(['alice', 'bob']);
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => new ChainFixture(name, genesis).start()));
    const sent = [1, 2, 3].map((at) => transaction(genesis, 'carol', { text: `k=${at}` }));
    alice!.pooled = sent;
    bob!.pooled = sent.slice(0, 2);
    const { block } = await alice!.chain.build({ height: 1 });
    expect([await alice!.reason(block), await bob!.reason(block), await bob!.reason(block)]).to.deep.equal([
      '',
      '',
      '',
    ]);
    expect([alice!.verified, bob!.verified]).to.deep.equal([0, 1]);
  });

  it('does not take a forged copy for what the pool has verified', async () => {
    const genesis = genesisOf(['alice', 'bob']);
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => new ChainFixture(name, genesis).start()));
    const sent = transaction(genesis, 'carol');
    const forged = Uint8Array.from(sent);
    forged[forged.length - 10] = (forged[forged.length - 10] ?? 0) ^ 1;
    bob!.pooled = [sent];
    alice!.pooled = [forged];
    const { block } = await alice!.chain.build({ height: 1 });
    expect(toHex(idOf(forged))).to.equal(toHex(idOf(sent)));
    expect(await bob!.reason(block)).to.include('signature');
  });

  it('does not find a block valid again once its height is decided', async () => {
    const node = await start();
    const { block } = await node.advance(transaction(solo, 'bob'));
    expect(await node.reason(block)).to.include('height 1');
  });

  it('builds within the limits, and leaves out what does not fit the rules', async () => {
    const node = await start();
    const many = Array.from({ length: 12 }, () => transaction(solo, 'bob'));
    const { block } = await node.advance(transaction(solo, 'bob', { expiresAt: 0 }), ...many);
    expect(block.transactions).to.have.length(10);
    const large = Array.from({ length: 6 }, () => transaction(solo, 'bob', { text: `x=${'y'.repeat(800)}` }));
    const second = await node.advance(...large, large[0]!);
    expect(second.block.transactions).to.have.length(4);
    const header = BlockHeader.decode(second.block.header);
    expect(header.time).to.be.greaterThan(BlockHeader.decode(block.header).time);
  });

  it('refuses to build another height than the next, or where it is no validator', async () => {
    const node = await start();
    expect(await codeOf(node.chain.build({ height: 2 }))).to.equal('ERR_CHAIN_GAP');
    const stranger = await new ChainFixture('stranger', solo).start();
    expect(await codeOf(stranger.chain.build({ height: 1 }))).to.equal('ERR_BLOCK_INVALID');
  });

  it('answers a commit at or below the tip with the tip, and another block there with ERR_SAFETY_VIOLATION', async () => {
    const node = await start();
    const { digest, certificate } = await node.advance();
    await node.advance();
    const tip = await node.tip();
    expect(await node.commit(1, digest, certificate)).to.deep.equal(tip);
    const other = new Uint8Array(32).fill(7);
    expect(await codeOf(node.commit(1, other, { ...certificate, digest: other }))).to.equal('ERR_SAFETY_VIOLATION');
    expect(await codeOf(node.commit(9, other, { ...certificate, height: 9, digest: other }))).to.equal('ERR_CHAIN_GAP');
    const next: Certificate = { ...certificate, height: 3, digest: other };
    expect(await codeOf(node.commit(3, other, next))).to.equal('ERR_BLOCK_NOT_FOUND');
    expect(await codeOf(node.commit(3, other, certificate))).to.equal('ERR_CERTIFICATE_INVALID');
  });

  it('refuses a decided block with another body, and takes the right one after it', async () => {
    const genesis = genesisOf(['alice', 'bob']);
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => new ChainFixture(name, genesis).start()));
    const sent = transaction(genesis, 'carol');
    const { block, digest, certificate } = await alice!.advance(sent);
    expect(
      await codeOf(bob!.commit(1, digest, certificate, { ...block, transactions: [transaction(genesis, 'carol')] })),
    ).to.equal('ERR_BLOCK_INVALID');
    expect(await codeOf(bob!.commit(1, digest, certificate, withHeader(block, { time: START + 9_999 })))).to.equal(
      'ERR_BLOCK_INVALID',
    );
    expect((await bob!.commit(1, digest, certificate, block)).height).to.equal(1);
  });

  it('ends the process where the network has certified another state root', async () => {
    const genesis = genesisOf(['alice', 'bob']);
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => new ChainFixture(name, genesis).start()));
    bob!.application.salt = 'different';
    for (let height = 1; height <= 2; height += 1) {
      const { block, digest, certificate } = await alice!.advance(transaction(genesis, 'carol'));
      const outcome = await codeOf(bob!.commit(height, digest, certificate, block));
      expect(outcome).to.equal(height === 1 ? '' : 'ERR_CHAIN_DIVERGED');
    }
    expect(bob!.context.fatals.map(({ kind }) => kind)).to.deep.equal(['safety']);
    expect((await bob!.tip()).height).to.equal(1);
  });

  it('says of the root of the tip whether a block has certified it', async () => {
    const node = await start();
    expect((await node.tip()).rootCertified).to.equal(true);
    await node.advance(transaction(solo, 'bob'));
    expect((await node.tip()).rootCertified).to.equal(false);
    await node.advance();
    expect((await node.tip()).rootCertified).to.equal(true);
  });

  it('tells what was proposed and committed', async () => {
    const node = await start();
    const sent = transaction(solo, 'bob');
    const { digest, certificate } = await node.advance(sent);
    await settle();
    const proposed = node.context.told(Chain.events.proposed);
    const committed = node.context.told(Chain.events.committed);
    expect(proposed.map(({ height, transactions }) => [height, transactions])).to.deep.equal([[1, 1]]);
    expect(committed.map((one) => [one.height, one.tip, one.round, toHex(one.digest)])).to.deep.equal([
      [1, 1, certificate.round, toHex(digest)],
    ]);
    expect(committed[0]?.transactions.map(toHexOf)).to.deep.equal([toHex(idOf(sent))]);
  });

  it('C1: tells a block as committed once the store has it, and never where the write fails', async () => {
    const node = await start();
    const { digest } = await node.chain.build({ height: 1 });
    const certificate = certify(await node.tip(), digest);
    const told = (): number => node.context.told(Chain.events.committed).length;
    const toldBefore: number[] = [];
    node.storage.beforeWrite = () => {
      toldBefore.push(told());
      throw new Error('the disk is away');
    };
    await node.commit(1, digest, certificate).catch(() => undefined);
    await settle();
    expect(toldBefore).to.deep.equal([0]);
    expect(told()).to.equal(0);
    node.storage.beforeWrite = () => void toldBefore.push(told());
    await node.commit(1, digest, certificate);
    await settle();
    expect(toldBefore).to.deep.equal([0, 0]);
    expect(told()).to.equal(1);
  });

  it('answers ERR_NETWORK_UNFOUNDED before founding, and enters the network when it is told', async () => {
    const node = new ChainFixture('alice', solo);
    node.founded = false;
    await node.start();
    expect(await codeOf(node.tip())).to.equal('ERR_NETWORK_UNFOUNDED');
    expect(await node.chain.roles({ publicKeys: [keysOf('alice').publicKey] })).to.deep.equal({
      roles: [{ role: 'unfounded' }],
    });
    node.founded = true;
    await node.clock.advance(1_001);
    const tip = await node.tip();
    expect([tip.height, toHex(tip.digest)]).to.deep.equal([0, toHex(tip.network)]);
  });

  it('takes over another network as long as there is no block', async () => {
    const node = await start();
    const other = genesisOf(['alice'], { ...GENESIS_DEFAULTS, window: 7 });
    Object.assign(node, { genesis: other });
    await node.clock.advance(1_001);
    const tip = await node.tip();
    expect(toHex(tip.network)).to.equal(
      toHex((await new ChainFixture('alice', other).start().then((one) => one.tip())).network),
    );
  });

  it('does not run a network with another application', async () => {
    const node = new ChainFixture('alice', solo);
    node.application.name = 'other/1';
    await node.start();
    expect(await codeOf(node.tip())).to.equal('ERR_CHAIN_APPLICATION');
    expect(node.context.lastHealth.state).to.equal('failing');
    node.application.name = 'pairs/1';
    await node.clock.advance(1_001);
    expect((await node.tip()).height).to.equal(0);
    expect(node.context.lastHealth.state).to.equal('ok');
  });

  it('ends the process on a store whose parts do not belong together', async () => {
    const node = await start();
    await node.advance();
    await node.storage.write({
      writes: [{ namespace: 'chain', key: utf8('system') }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    const again = new ChainFixture('alice', solo, node.storage);
    expect(hasCode(await again.start().catch((error: unknown) => error), 'ERR_STORAGE_DAMAGED')).to.equal(true);
    expect(again.context.fatals.map(({ kind }) => kind)).to.deep.equal(['damaged']);
  });
});

const toHexOf = (bytes: Uint8Array): string => toHex(bytes);
