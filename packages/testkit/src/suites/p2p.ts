/// <reference types="mocha" />
import { expect } from 'chai';
import {
  Consensus,
  Genesis,
  NodeRecordBatch,
  P2p,
  PEER_KINDS,
  Transport,
  decodeTransaction,
  fromHex,
  joinSigningBytes,
  keyPairFromSeed,
  networkOf,
  nodeIdOf,
  p2pKeys,
  recordSigningBytes,
  sha256,
  signBytes,
  toHex,
  transactionSigningBytes,
  utf8,
  verifySignature,
  type KeyPair,
  type NodeRecord,
  type Plugin,
} from '@it-chain/contracts';
import { PeerNet, type PeerNetNode } from '../doubles/peer-net.js';
import { codeOf, promiseOf } from './promise.js';

/** What a node of the suite is to know from its config. */
export interface P2pPlace {
  /** Addresses that it dials from the start. */
  readonly dial: readonly string[];
  /** Who may ever belong to its network. The first of them founds, where members are fixed. */
  readonly members: readonly { readonly name: string; readonly publicKey: Uint8Array; readonly address: string }[];
}

/** What the suite is told about a p2p plugin. */
export interface P2pUnderTest {
  /** The plugin's section for a node. Default `{ dial }`. */
  readonly config?: (place: P2pPlace) => unknown;
  /**
   * True where the members stand in the config: then nothing is founded, adopted or joined, and no record of others is
   * taken. P3 to P5 and half of P2 are not tested. Default false.
   */
  readonly fixedMembers?: boolean;
}

const NAMES = ['alice', 'bob', 'carol'];
const keysOf = (name: string): KeyPair => keyPairFromSeed(sha256(utf8(name)));
const MEMBERS = NAMES.map((name) => ({ name, publicKey: keysOf(name).publicKey, address: `${name}:7000` }));

function recordOf(name: string, sequence: number, network: Uint8Array, address: string): NodeRecord {
  const keys = keysOf(name);
  const unsigned = { publicKey: keys.publicKey, name, addresses: [address], sequence };
  return { ...unsigned, signature: signBytes(recordSigningBytes(unsigned, network), keys.secretKey) };
}

/** Bytes that are no message of any kind, one of them an endless varint. */
const GARBAGE = [
  new Uint8Array(0),
  new Uint8Array([255]),
  utf8('{"json":1}'),
  new Uint8Array(1_000).fill(7),
  new Uint8Array(100).fill(0x80),
];

/**
 * The compliance suite of the p2p role. Call it inside `describe`; the titles are the role's promises. Several nodes of
 * the plugin run on doubles of all other roles, over sessions that the suite opens and ends, on the clock of the suite.
 */
export function testP2p(plugin: Plugin, options: P2pUnderTest = {}): void {
  const promise = (number: string): string => promiseOf(P2p, number);
  const fixed = options.fixedMembers === true;
  const nets: PeerNet[] = [];
  const open = (): PeerNet => {
    const net = new PeerNet(plugin);
    nets.push(net);
    return net;
  };
  const section = (dial: readonly string[]): unknown =>
    options.config === undefined ? { dial } : options.config({ dial, members: MEMBERS });
  const start = (net: PeerNet, name: string, dial: readonly string[] = [], of?: PeerNetNode): Promise<PeerNetNode> =>
    net.node(name, { config: section(dial), ...(of === undefined ? {} : { storage: of.storage }) });

  afterEach(async () => {
    for (const net of nets.splice(0)) for (const node of [...net.nodes.values()]) await node.stop();
  });

  it(promise('P1'), async () => {
    const net = open();
    const alice = await start(net, 'alice');
    const bob = await start(net, 'bob', ['alice:7000']);
    const carol = await start(net, 'carol', ['alice:7000']);
    // Bob and carol hear of each other through alice.
    const meshed = async (): Promise<boolean> => (await bob.connected()).join() === 'alice,carol';
    expect(await net.until(meshed), 'everybody is connected').to.equal(true);
    await carol.stop();
    expect(await net.until(async () => (await bob.connected()).join() === 'alice', 5_000), 'one is away').to.equal(
      true,
    );
    const from = net.clock.now();
    await net.pass(120_000);
    const at = net.dials.filter((dial) => dial.from === 'bob' && dial.to === 'carol:7000' && dial.at > from);
    const pauses = at.slice(1).map((dial, index) => dial.at - (at[index]?.at ?? 0));
    expect(at.length, 'dials of two minutes').to.be.within(3, 60);
    expect(Math.max(...pauses), `pauses ${pauses.join(', ')}`).to.be.at.least(3 * (pauses[0] ?? 0));
    expect((await bob.role.list({})).peers.map(({ name }) => name)).to.include('carol');
    // All restart, and nobody is told whom to dial: what is known stands in the table.
    for (const node of [alice, bob]) await node.stop();
    const before = net.dials.length;
    const again = await start(net, 'carol', [], carol);
    await net.pass(2_000);
    expect(net.dials.slice(before).map(({ to }) => to)).to.include.members(['alice:7000', 'bob:7000']);
    await start(net, 'alice', [], alice);
    await start(net, 'bob', [], bob);
    expect(await net.until(async () => (await again.connected()).join() === 'alice,bob'), 'together again').to.equal(
      true,
    );
    const [self, ...others] = (await again.role.list({})).peers;
    expect(self).to.deep.include({ self: true, name: 'carol', nodeId: again.id, connected: false });
    expect(others.every((peer) => !peer.self && peer.address !== '' && peer.since > 0)).to.equal(true);
  });

  it(promise('P2'), async () => {
    const net = open();
    const alice = await start(net, 'alice');
    const bob = await start(net, 'bob', ['alice:7000']);
    const network = fromHex(await together(net, alice, bob), 32) ?? new Uint8Array(0);
    const tell = async (...records: NodeRecord[]): Promise<string | undefined> => {
      const { publicKey } = bob.context.identity;
      const body = NodeRecordBatch.encode({ records });
      await alice.context.tell(Transport.events.received, { from: bob.id, publicKey, kind: PEER_KINDS.record, body });
      const { peers } = await alice.role.list({});
      return peers.find((row) => row.nodeId === nodeIdOf(keysOf('stranger').publicKey))?.address;
    };
    const rows = async (): Promise<string[]> =>
      (await alice.role.list({})).peers.map(({ nodeId, name, address }) => `${nodeId} ${name} ${address}`);
    const before = await rows();
    const lies = [
      { ...recordOf('stranger', 5, network, 'x:1'), signature: new Uint8Array(64) },
      { ...recordOf('stranger', 5, network, 'x:1'), sequence: 6 },
      { ...recordOf('stranger', 5, network, 'x:1'), addresses: ['x:2'] },
      recordOf('stranger', 5, new Uint8Array(32), 'x:1'),
      { ...recordOf('stranger', 5, network, 'x:1'), publicKey: keysOf('carol').publicKey },
      // Of the node itself from somebody else, as if it had moved.
      { ...recordOf('alice', 9_000_000_000_000, network, 'x:1'), signature: new Uint8Array(64) },
    ];
    for (const lie of lies) await tell(lie);
    await tell(...lies);
    expect(await rows(), 'after forged records').to.deep.equal(before);
    if (fixed) return;
    expect(await tell(recordOf('stranger', 5, network, 'x:1'))).to.equal('x:1');
    expect(await tell(recordOf('stranger', 5, network, 'x:2')), 'the same sequence').to.equal('x:1');
    expect(await tell(recordOf('stranger', 4, network, 'x:3')), 'an older one').to.equal('x:1');
    expect(await tell(recordOf('stranger', 6, network, 'x:4')), 'a newer one').to.equal('x:4');
    const joined = alice.context.told(P2p.events.joined).filter(({ peer }) => peer.name === 'stranger');
    expect(joined.map(({ peer }) => peer.address)).to.deep.equal(['x:1', 'x:4']);
    // The highest sequence is remembered over a restart.
    await alice.stop();
    const again = await start(net, 'alice', [], alice);
    expect(await net.until(async () => (await again.connected()).includes('bob')), 'back again').to.equal(true);
    const address = async (): Promise<string | undefined> =>
      (await again.role.list({})).peers.find(({ name }) => name === 'stranger')?.address;
    const { publicKey } = bob.context.identity;
    const body = NodeRecordBatch.encode({ records: [recordOf('stranger', 5, network, 'x:5')] });
    await again.context.tell(Transport.events.received, { from: bob.id, publicKey, kind: PEER_KINDS.record, body });
    expect(await address(), 'an older one after the restart').to.equal('x:4');
  });

  if (!fixed) testFounding(promise, open, start);

  it(promise('P6'), async () => {
    const net = open();
    const alice = await start(net, 'alice');
    const tell = (node: PeerNetNode, height: number, round: number, name: string): Promise<void> =>
      node.context.tell(Consensus.events.round, { height, round, leader: keysOf(name).publicKey });
    const leaderOf = async (node: PeerNetNode): Promise<string> => (await node.role.leader({})).nodeId;
    if (!fixed) {
      await tell(alice, 1, 0, 'alice');
      expect(await leaderOf(alice), 'before founding').to.equal('');
      await found(net, alice);
    }
    await tell(alice, 1, 0, 'alice');
    expect(await leaderOf(alice)).to.equal(nodeIdOf(keysOf('alice').publicKey));
    await tell(alice, 2, 0, 'alice');
    await tell(alice, 3, 1, 'bob');
    // Late news of an older round or height.
    await tell(alice, 3, 0, 'carol');
    await tell(alice, 2, 7, 'carol');
    const bob = nodeIdOf(keysOf('bob').publicKey);
    expect(await alice.role.leader({})).to.deep.include({ nodeId: bob, height: 3, round: 1 });
    expect(alice.context.told(P2p.events.leaderUpdated).map(({ nodeId }) => nodeId)).to.deep.equal([
      nodeIdOf(keysOf('alice').publicKey),
      bob,
    ]);
    await alice.stop();
    expect(await leaderOf(await start(net, 'alice', [], alice)), 'after a restart').to.equal(bob);
  });

  it('the network is in the store before it is told, and the same after a restart', async () => {
    const net = open();
    const [alice, bob] = [await start(net, 'alice'), await start(net, 'bob', ['alice:7000'])];
    const network = await together(net, alice, bob);
    for (const node of [alice, bob]) {
      const stored = node.storage.peek('p2p', p2pKeys.genesis);
      expect(stored && toHex(networkOf(Genesis.decode(stored))), 'in the store').to.equal(network);
      const told = node.context.told(P2p.events.founded).at(-1);
      expect(told && toHex(networkOf(Genesis.decode(told.genesis))), 'in the event').to.equal(network);
    }
    // Whoever hears of the network may read it from the store at once.
    const fresh = open();
    const founder = fresh.add('alice', { config: section([]) });
    const stored: boolean[] = [];
    founder.context.on(P2p.events.founded, () => {
      stored.push(founder.storage.peek('p2p', p2pKeys.genesis) !== undefined);
    });
    await founder.start();
    if (!fixed) await found(fresh, founder);
    expect(stored, 'stored when it was told').to.deep.equal([true]);
    await bob.stop();
    const again = await start(net, 'bob', [], bob);
    expect(await again.network()).to.equal(network);
  });

  it('nothing that a peer sends ends it or changes its network', async () => {
    const net = open();
    const [alice, bob] = [await start(net, 'alice'), await start(net, 'bob', ['alice:7000'])];
    const network = await together(net, alice, bob);
    const { publicKey } = bob.context.identity;
    for (const kind of [PEER_KINDS.record, PEER_KINDS.hello, PEER_KINDS.join, 'of nobody']) {
      for (const body of GARBAGE) {
        await alice.context.tell(Transport.events.received, { from: bob.id, publicKey, kind, body });
        const asked = { from: bob.id, publicKey, requestId: 'none', kind, body };
        await alice.context.tell(Transport.events.asked, asked);
      }
    }
    for (const body of GARBAGE) expect(await codeOf(bob.fetch(alice.id, body))).to.match(/^ERR_/);
    await net.pass(5_000);
    expect([await alice.network(), await bob.network()]).to.deep.equal([network, network]);
    expect(await alice.connected()).to.deep.equal(['bob']);
    expect(alice.context.fatals).to.deep.equal([]);
  });
}

type Start = (net: PeerNet, name: string, dial?: readonly string[], of?: PeerNetNode) => Promise<PeerNetNode>;

/** The promises about founding, adopting and joining. */
function testFounding(promise: (number: string) => string, open: () => PeerNet, start: Start): void {
  const networks = (...nodes: PeerNetNode[]): Promise<(string | undefined)[]> =>
    Promise.all(nodes.map((node) => node.network()));
  const foundedOf = (node: PeerNetNode): boolean[] =>
    node.context.told(P2p.events.founded).map(({ founder }) => founder);
  /** Two networks that know nothing of each other, the one with the lower digest first. */
  const two = async (net: PeerNet): Promise<[PeerNetNode, PeerNetNode]> => {
    const nodes = [await start(net, 'alice'), await start(net, 'bob')] as const;
    for (const node of nodes) await found(net, node);
    const [a = '', b = ''] = await networks(...nodes);
    expect(a).to.not.equal(b);
    return a < b ? [nodes[0], nodes[1]] : [nodes[1], nodes[0]];
  };

  it(promise('P3'), async () => {
    const net = open();
    const dialled = await start(net, 'bob');
    expect(await dialled.network()).to.equal(undefined);
    const dialler = await start(net, 'alice', ['bob:7000']);
    const network = await together(net, dialled, dialler);
    expect(network).to.equal(await dialled.candidate());
    expect(foundedOf(dialled), 'told by the dialled one').to.deep.equal([true]);
    expect(foundedOf(dialler), 'told by the dialler').to.deep.equal([false]);
    const genesis = Genesis.decode((await dialler.role.network({})).genesis ?? new Uint8Array(0));
    const { publicKey } = dialled.context.identity;
    expect([genesis.founder, ...genesis.validators].map(toHex)).to.deep.equal([toHex(publicKey), toHex(publicKey)]);
    expect(genesis.application).to.equal('kv/1');
    // Of several that dial each other in a ring, all at once, one founds too.
    const ring = open();
    const nodes: PeerNetNode[] = [];
    for (const [index, name] of NAMES.entries()) {
      nodes.push(await start(ring, name, [`${NAMES[(index + 1) % NAMES.length] ?? ''}:7000`]));
    }
    const one = await together(ring, ...nodes);
    const candidates = await Promise.all(nodes.map((node) => node.candidate()));
    expect(candidates.filter((candidate) => candidate === one)).to.have.length(1);
  });

  it(promise('P4'), async () => {
    for (const founderDials of [true, false]) {
      const net = open();
      const founder = await start(net, 'alice');
      await found(net, founder);
      const network = await founder.network();
      const newcomer = await start(net, 'bob');
      if (founderDials) net.connect(founder, newcomer);
      else net.connect(newcomer, founder);
      expect(await together(net, founder, newcomer), founderDials ? 'the founder dialled' : 'it dialled').to.equal(
        network,
      );
      expect(foundedOf(newcomer)).to.deep.equal([false]);
      expect(foundedOf(founder)).to.deep.equal([true]);
    }
  });

  it(promise('P5'), async () => {
    for (const lowerDials of [true, false]) {
      const net = open();
      const [lower, higher] = await two(net);
      const network = await lower.network();
      net.connect(...(lowerDials ? ([lower, higher] as const) : ([higher, lower] as const)));
      expect(await together(net, lower, higher), 'both at height 0').to.equal(network);
      expect(higher.context.told(P2p.events.founded).length, 'told again').to.equal(2);
    }
    // Blocks on one side: it stays as it is, whatever the digests, and even where the event of the block was lost.
    for (const told of [true, false]) {
      const net = open();
      const [lower, higher] = await two(net);
      const network = await higher.network();
      await higher.commitBlock(1, told);
      net.connect(lower, higher);
      expect(await together(net, lower, higher), 'blocks on one side').to.equal(network);
    }
    const net = open();
    const nodes = await two(net);
    for (const node of nodes) await node.commitBlock(3);
    const before = await networks(...nodes);
    net.connect(...nodes);
    expect(await net.until(() => net.links.size === 0), 'the session has ended').to.equal(true);
    expect(net.ended).to.deep.equal(['ERR_DIFFERENT_NETWORK']);
    await net.pass(10_000);
    expect(await networks(...nodes)).to.deep.equal(before);
  });

  it('a join dials a member, adopts its network and asks for admission in the name of the joiner', async () => {
    const net = open();
    const [member, joiner] = [await start(net, 'alice'), await start(net, 'bob')];
    const call = joiner.role.join({ address: 'alice:7000' });
    const outcome: string[] = [];
    void codeOf(call).then((code) => outcome.push(code));
    await net.until(() => outcome.length > 0);
    const answer = await call;
    expect(answer.nodeId).to.equal(member.id);
    expect(toHex(answer.network)).to.equal(await together(net, member, joiner));
    const [encoded] = member.submitted;
    const { value, id } = decodeTransaction(encoded ?? new Uint8Array(0));
    expect(toHex(answer.transaction)).to.equal(toHex(id));
    expect(verifySignature(value.sender, transactionSigningBytes(encoded!, value.network), value.signature)).to.equal(
      true,
    );
    const { publicKey, name, signature } = value.membership!.join!;
    expect([toHex(publicKey), name]).to.deep.equal([toHex(joiner.context.identity.publicKey), 'bob']);
    expect(verifySignature(publicKey, joinSigningBytes(value.network, publicKey, name), signature)).to.equal(true);
    const nobody = joiner.role.join({ address: 'nobody:7000' });
    expect(await codeOf(nobody)).to.equal('ERR_PEER_UNREACHABLE');
  });
}

/** Makes a node found, and waits for the network to settle. */
async function found(net: PeerNet, node: PeerNetNode): Promise<void> {
  const founding = node.role.found({});
  const settled: boolean[] = [];
  void codeOf(founding).then(() => settled.push(true));
  await net.until(() => settled.length > 0);
  await founding;
  expect(await node.network(), 'founded').to.not.equal(undefined);
}

/** Waits until these belong to one network, and a moment more. @returns it, in hex */
async function together(net: PeerNet, ...nodes: readonly PeerNetNode[]): Promise<string> {
  const all = (): Promise<(string | undefined)[]> => Promise.all(nodes.map((node) => node.network()));
  const same = async (): Promise<boolean> => {
    const networks = new Set(await all());
    return networks.size === 1 && !networks.has(undefined);
  };
  expect(await net.until(same), 'they belong to one network').to.equal(true);
  await net.pass(3_000);
  const [network = '', ...others] = await all();
  expect(new Set([network, ...others]).size, 'and stay in it').to.equal(1);
  return network;
}
