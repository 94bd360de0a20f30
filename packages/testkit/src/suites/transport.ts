/// <reference types="mocha" />
import { expect } from 'chai';
import { connect, type Socket } from 'node:net';
import {
  Transport,
  nodeIdOf,
  sha256,
  toHex,
  utf8,
  type Hello,
  type NodeIdentity,
  type Plugin,
} from '@it-chain/contracts';
import { Cable } from './cable.js';
import { codeOf, promiseOf } from './promise.js';
import { TransportSeat } from './transport-seat.js';
import { until } from './until.js';

/** What the suite is told about a transport. */
export interface TransportUnderTest {
  /** A section under which it accepts peers on a free port of 127.0.0.1. */
  readonly config?: unknown;
  /** A section with a send budget of `bytes` per peer. Absent: T4 is tested with the section above, and a budget of 8 MiB. */
  readonly budget?: { readonly config: unknown; readonly bytes: number };
}

const MiB = 1024 * 1024;
/** What the kernel and a cable may hold besides the send budget, in bytes. */
const BUFFERS = 16 * MiB;
const EMPTY = new Uint8Array(0);

/** A body that says who it is, and whether anything of it was changed. */
function numbered(index: number, bytes: number): Uint8Array {
  const body = Buffer.alloc(Math.max(36, bytes), index % 251);
  body.writeUInt32BE(index);
  body.set(sha256(body.subarray(36)), 4);
  return body;
}

/** The number of a body, or -1 where it is none that {@link numbered} made. */
function numberOf(body: Uint8Array): number {
  const whole = Buffer.from(body);
  return whole.length >= 36 && sha256(whole.subarray(36)).every((byte, at) => byte === whole[4 + at])
    ? whole.readUInt32BE()
    : -1;
}

/**
 * The compliance suite of the transport role. Call it inside `describe`; the titles are the role's promises. Several nodes
 * of the plugin run in real contexts, on real sockets of the loopback interface, over cables that the suite stalls, spoils
 * and cuts. It knows nothing of the protocol between them: liars are the plugin itself with a false identity, and bytes.
 */
export function testTransport(plugin: Plugin, options: TransportUnderTest = {}): void {
  const seats: TransportSeat[] = [];
  const cables: Cable[] = [];
  const bench: Bench = {
    seat: async (name, config = options.config, of = plugin) => {
      const seat = await TransportSeat.open(of, name, config);
      seats.push(seat);
      return seat;
    },
    cable: async (target) => {
      const cable = await Cable.lay(target);
      cables.push(cable);
      return cable;
    },
  };
  const promise = (number: string, test: () => Promise<void>): void => {
    it(promiseOf(Transport, number), async function () {
      this.timeout(20_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
      await test();
    });
  };

  afterEach(async () => {
    await Promise.all(cables.splice(0).map((cable) => cable.cut()));
    await Promise.all(seats.splice(0).map((seat) => seat.close()));
  });

  promise('T1', () => provesItsKey(bench, plugin, options.config));
  promise('T2', () => oneSession(bench));
  promise('T3', () => inOrder(bench));
  promise('T4', () => slowPeer(bench, options.budget ?? { config: options.config, bytes: 8 * MiB }));
  promise('T5', () => wrongDials(bench));
  promise('T6', () => fetches(bench));
  it('shows the hello that was announced last, tells why a session ended, and refuses what is too large', async function () {
    this.timeout(20_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
    await hellosAndGoodbyes(bench);
  });
}

interface Bench {
  seat(name: string, config?: unknown, plugin?: Plugin): Promise<TransportSeat>;
  cable(target: string): Promise<Cable>;
}

/** Waits until both tell of the session. */
async function joined(a: TransportSeat, b: TransportSeat, address = b.address): Promise<void> {
  const before = [a, b].map(({ connected }) => connected.length);
  await a.transport.dial({ address });
  await until('both tell of the session', () => [a, b].every(({ connected }, at) => connected.length > before[at]!));
}

const deliver = (from: TransportSeat, body: Uint8Array, lane: 'control' | 'bulk', ...to: TransportSeat[]) =>
  from.transport.deliver({ peers: to.map(({ id }) => id), kind: 'suite', body, lane });

async function provesItsKey(bench: Bench, plugin: Plugin, config: unknown): Promise<void> {
  const [alice, bob] = [await bench.seat('alice'), await bench.seat('bob')];
  const session = await alice.transport.dial({ address: `${bob.id}@${bob.address}` });
  await until('both tell of it', () => alice.connected.length === 1 && bob.connected.length === 1);
  expect(session.nodeId).to.equal(bob.id);
  for (const [one, other] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const [told] = one.connected;
    expect(told?.nodeId).to.equal(other.id);
    expect(nodeIdOf(told!.publicKey)).to.equal(other.id);
  }
  // Somebody who has another key than the one it names, whoever dials.
  const { publicKey } = bob.connected[0]!;
  const liar = await bench.seat('mallory', config, claiming(plugin, publicKey));
  const carol = await bench.seat('carol');
  // Its own word says nothing: what counts is what the honest one tells.
  await codeOf(liar.transport.dial({ address: carol.address }));
  expect(await codeOf(carol.transport.dial({ address: liar.address })), 'the liar is dialled').to.match(/^ERR_/);
  // Bytes that are no protocol at all, and silence.
  const strangers = [
    ...'GET / HTTP/1.1\r\n\r\n|PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n|\u0016\u0003\u0001'.split('|'),
    '',
  ].map((text) => strange(carol.address, Buffer.from(text, 'latin1')));
  strangers.push(strange(carol.address, Buffer.alloc(4_096, 0xff)));
  await joined(alice, carol);
  expect(carol.changes, 'told by the one they came to').to.deep.equal([`+${alice.id}`]);
  expect(await carol.peers()).to.deep.equal([alice.id]);
  expect(await deliver(alice, numbered(1, 100), 'control', bob, carol)).to.deep.equal({ peers: 2 });
  await until('the messages arrive', () => [bob, carol].every(({ received }) => received.length === 1));
  expect(carol.received[0]?.from).to.equal(alice.id);
  for (const socket of strangers) socket.destroy();
}

/** The plugin, which says that it has this key, and signs with its own. */
function claiming(plugin: Plugin, publicKey: Uint8Array): Plugin {
  const identity: NodeIdentity = { nodeId: nodeIdOf(publicKey), publicKey, name: 'liar' };
  return { ...plugin, setup: (context) => plugin.setup({ ...(context as object), identity } as never) };
}

/** A connection of somebody who writes these bytes and then nothing. */
function strange(address: string, bytes: Uint8Array): Socket {
  const at = address.lastIndexOf(':');
  const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
  socket.on('error', () => undefined);
  socket.resume();
  if (bytes.length > 0) socket.write(bytes);
  return socket;
}

async function oneSession(bench: Bench): Promise<void> {
  const [alice, bob] = [await bench.seat('alice'), await bench.seat('bob')];
  for (let round = 1; round <= 5; round += 1) {
    const [to, from] = await Promise.all([
      alice.transport.dial({ address: bob.address }),
      bob.transport.dial({ address: alice.address }),
    ]);
    expect([to.nodeId, from.nodeId], `round ${round}`).to.deep.equal([bob.id, alice.id]);
    // Dialled again, it is the one that is open.
    const again = await alice.transport.dial({ address: `${bob.id}@${bob.address}` });
    expect(again.nodeId).to.equal(bob.id);
    await until('both tell of it', () => [alice, bob].every(({ changes }) => changes.length > 2 * (round - 1)));
    const sessions = await Promise.all([alice, bob].map(async (seat) => (await seat.transport.sessions({})).sessions));
    expect(sessions.map((list) => list.length)).to.deep.equal([1, 1]);
    expect(sessions.map(([only]) => only!.direction).sort()).to.deep.equal(['inbound', 'outbound']);
    const before = [alice.received.length, bob.received.length];
    await Promise.all([
      deliver(alice, numbered(round, 10), 'control', bob),
      deliver(bob, numbered(round, 10), 'bulk', alice),
    ]);
    await until('it works both ways', () => alice.received.length > before[0]! && bob.received.length > before[1]!);
    await alice.transport.disconnect({ nodeId: bob.id, code: 'ERR_PEER_DISCONNECTED', reason: 'next round' });
    await until('both tell of its end', () => alice.gone.length === round && bob.gone.length === round);
    expect([await alice.peers(), await bob.peers()]).to.deep.equal([[], []]);
    for (const [seat, { id }] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const once = Array.from({ length: round }, () => [`+${id}`, `-${id}`]).flat();
      expect(seat.changes, `told in ${round} rounds`).to.deep.equal(once);
    }
  }
  expect(alice.received.length + bob.received.length, 'nothing twice').to.equal(10);
}

async function inOrder(bench: Bench): Promise<void> {
  const [alice, bob, carol] = [await bench.seat('alice'), await bench.seat('bob'), await bench.seat('carol')];
  const cable = await bench.cable(bob.address);
  await joined(alice, bob, cable.address);
  await joined(alice, carol);
  const counts = { control: 150, bulk: 21 };
  const numbers = (lane: string): number[] =>
    bob.received.filter(({ kind }) => kind === lane).map(({ body }) => numberOf(body));
  const send = async (lane: 'control' | 'bulk'): Promise<void> => {
    const calls: Promise<{ readonly peers: number }>[] = [];
    for (let index = 0; index < counts[lane]; index += 1) {
      const body = numbered(index, lane === 'bulk' ? (index % 7) * 40_000 : index);
      calls.push(alice.transport.deliver({ peers: [bob.id], kind: lane, body, lane }));
      // The budget of a peer has a limit: as much as arrived may follow.
      if (index % 10 === 9) await until('they arrive', () => numbers(lane).length >= index - 20);
    }
    expect((await Promise.all(calls)).every(({ peers }) => peers === 1)).to.equal(true);
  };
  await Promise.all([send('control'), send('bulk')]);
  for (const lane of ['control', 'bulk'] as const) {
    await until(`all of the ${lane} lane arrived`, () => numbers(lane).length === counts[lane]);
    expect(numbers(lane), lane).to.deep.equal(Array.from({ length: counts[lane] }, (_, index) => index));
  }
  // Bytes from outside in between: no message is changed or invented, the session ends, and the others go on.
  cable.spoil(new Uint8Array(64).fill(0xff));
  for (let index = 0; index < 20; index += 1) {
    if (bob.gone.length > 0 || alice.gone.length > 0) break;
    await alice.transport.deliver({ peers: [bob.id], kind: 'after', body: numbered(index, 1_000), lane: 'bulk' });
  }
  await until('the spoilt session ends on both sides', () => alice.gone.length === 1 && bob.gone.length === 1);
  for (const { code } of [...alice.gone, ...bob.gone]) expect(code).to.match(/^ERR_/);
  const after = bob.received.filter(({ kind }) => kind === 'after').map(({ body }) => numberOf(body));
  expect(after).to.deep.equal(after.map((_, index) => index));
  expect(
    bob.received.map(({ kind }) => kind).filter((kind) => !['control', 'bulk', 'after'].includes(kind)),
  ).to.deep.equal([]);
  expect(await deliver(alice, numbered(1, 10), 'control', carol)).to.deep.equal({ peers: 1 });
  await until('the others go on', () => carol.received.length === 1);
  expect(carol.gone).to.deep.equal([]);
}

async function slowPeer(
  bench: Bench,
  { config, bytes }: { readonly config: unknown; readonly bytes: number },
): Promise<void> {
  const alice = await bench.seat('alice', config);
  const [slow, quick] = [await bench.seat('bob'), await bench.seat('carol')];
  const cable = await bench.cable(slow.address);
  await joined(alice, slow, cable.address);
  await joined(alice, quick);
  cable.stall();
  const body = numbered(1, 128 * 1024);
  let taken = 0;
  let turns = 0;
  const most = bytes + BUFFERS;
  // As long as the session is there and takes it; then what it costs is known.
  while (taken <= most) {
    const { peers } = await deliver(alice, body, 'bulk', slow);
    if (peers === 0) break;
    taken += body.length;
    turns += 1;
    // Meanwhile nobody else waits.
    if (turns % 8 === 0) {
      expect(await deliver(alice, numbered(turns, 1_000), 'bulk', quick)).to.deep.equal({ peers: 1 });
      expect(await deliver(alice, numbered(turns, 100), 'control', quick)).to.deep.equal({ peers: 1 });
    }
  }
  expect(taken, 'bytes that a peer costs that reads nothing').to.be.at.most(most);
  await until('the quick peer has all of its own', () => quick.received.length === 2 * Math.floor(turns / 8));
  // Now not even a short one finds room; whoever is named beside it gets it all the same.
  let room = 1;
  for (let index = 0; index < 1_000 && room > 0; index += 1) {
    room = (await deliver(alice, numbered(index, 1_000), 'bulk', slow)).peers;
  }
  expect(room, 'room for another short one').to.equal(0);
  for (let index = 0; index < 20; index += 1) {
    expect((await deliver(alice, numbered(index, 1_000), 'bulk', slow, quick)).peers, 'the quick one').to.equal(1);
  }
  const asked = alice.transport.fetch({ peer: slow.id, kind: 'suite', body: EMPTY }, { timeoutMs: 500 });
  expect(await codeOf(asked), 'a question to the slow one').to.match(/^ERR_/);
  await until('the quick peer has all', () => quick.received.length === 2 * Math.floor(turns / 8) + 20);
  expect(quick.received.every(({ body: one }) => numberOf(one) >= 0)).to.equal(true);
  expect(quick.gone).to.deep.equal([]);
}

async function wrongDials(bench: Bench): Promise<void> {
  const [alice, bob, carol] = [await bench.seat('alice'), await bench.seat('bob'), await bench.seat('carol')];
  const dial = (address: string): Promise<string> => codeOf(alice.transport.dial({ address }));
  const cable = await bench.cable(alice.address);
  expect(await dial(`${alice.id}@127.0.0.1:1`), 'its own id').to.equal('ERR_PEER_SELF');
  expect(await dial(alice.address), 'its own address').to.equal('ERR_PEER_SELF');
  expect(await dial(cable.address), 'itself at an address it does not know').to.equal('ERR_PEER_SELF');
  expect(await dial(`${carol.id}@${bob.address}`), 'another id').to.equal('ERR_PEER_WRONG_ID');
  expect(await dial('not an address'), 'no address').to.match(/^ERR_/);
  expect(await dial('127.0.0.1:1'), 'nobody there').to.match(/^ERR_/);
  expect([...alice.changes, ...bob.changes, ...carol.changes]).to.deep.equal([]);
  expect((await alice.transport.dial({ address: `${bob.id}@${bob.address}` })).nodeId).to.equal(bob.id);
  await until('the right one is connected', () => bob.changes.length === 1);
}

async function fetches(bench: Bench): Promise<void> {
  const [alice, bob] = [await bench.seat('alice'), await bench.seat('bob')];
  const ask = (text: string, timeoutMs = 10_000, peer = bob.id) =>
    alice.transport.fetch({ peer, kind: 'suite', body: utf8(text) }, { timeoutMs });
  expect(await codeOf(ask('x')), 'without a session').to.equal('ERR_PEER_NOT_CONNECTED');
  await joined(alice, bob);
  bob.onAsked = ({ from, kind, body }) => {
    expect([from, kind]).to.deep.equal([alice.id, 'suite']);
    const text = Buffer.from(body).toString();
    const answer = { body: utf8(`${text}!`), errorCode: '', errorMessage: '' };
    if (text === 'silence') return Promise.resolve(undefined);
    if (text === 'refuse') {
      return Promise.resolve({ body: EMPTY, errorCode: 'ERR_BLOCK_NOT_FOUND', errorMessage: 'not here' });
    }
    // Later ones are answered first.
    const wait = text.startsWith('late') ? 200 : 0;
    return new Promise((resolve) => setTimeout(() => resolve(answer), wait));
  };
  const texts = ['late 1', 'a', 'late 2', 'b', 'c'];
  const answers = await Promise.all(texts.map((text) => ask(text)));
  expect(answers.map(({ body }) => Buffer.from(body).toString())).to.deep.equal(texts.map((text) => `${text}!`));
  expect(await codeOf(ask('refuse'))).to.equal('ERR_BLOCK_NOT_FOUND');
  expect(await codeOf(ask('silence', 400)), 'nobody answers').to.match(/^ERR_(?!INTERNAL)/);
  expect(await codeOf(ask('x', 400, alice.id)), 'the node itself').to.equal('ERR_PEER_NOT_CONNECTED');
  const large = numbered(1, 1_500_000);
  bob.onAsked = ({ body }) => Promise.resolve({ body, errorCode: '', errorMessage: '' });
  const { body } = await alice.transport.fetch({ peer: bob.id, kind: 'suite', body: large }, { timeoutMs: 20_000 });
  expect(toHex(sha256(body)), 'a large one').to.equal(toHex(sha256(large)));
  bob.onAsked = () => Promise.resolve(undefined);
  const count = bob.asked.length;
  const lost = codeOf(ask('silence', 20_000));
  await until('it is asked', () => bob.asked.length > count);
  await bob.transport.disconnect({ nodeId: alice.id, code: 'ERR_PEER_DISCONNECTED', reason: 'away' });
  expect(await lost, 'the session ended meanwhile').to.match(/^ERR_PEER_/);
  const stale = bob.transport.answer({
    requestId: bob.asked.at(-1)!.requestId,
    body: EMPTY,
    errorCode: '',
    errorMessage: '',
  });
  expect(await codeOf(stale), 'an answer after the end').to.equal('ERR_PEER_NOT_CONNECTED');
}

async function hellosAndGoodbyes(bench: Bench): Promise<void> {
  const [alice, bob, carol] = [await bench.seat('alice'), await bench.seat('bob'), await bench.seat('carol')];
  const hello: Hello = {
    network: new Uint8Array(32).fill(7),
    genesis: new Uint8Array([1, 2, 3]),
    height: 9,
    name: 'the bee',
    addresses: [bob.address],
    candidate: EMPTY,
    leader: EMPTY,
  };
  await bob.transport.announce({ hello: { ...hello, height: 1 } });
  await bob.transport.announce({ hello });
  const session = await alice.transport.dial({ address: bob.address });
  await joined(carol, bob);
  for (const shown of [session.hello, alice.connected[0]?.hello, carol.connected[0]?.hello]) {
    expect(shown).to.deep.include({ height: 9, name: 'the bee', addresses: [bob.address] });
    expect(shown && toHex(shown.network!)).to.equal(toHex(hello.network!));
  }
  expect(await codeOf(deliver(alice, new Uint8Array(64 * MiB), 'bulk', bob)), 'a message of 64 MiB').to.match(/^ERR_/);
  expect(await bob.transport.deliver({ peers: [], kind: 'all', body: numbered(5, 50), lane: 'control' })).to.deep.equal(
    {
      peers: 2,
    },
  );
  await until('both get what is for all', () => alice.received.length === 1 && carol.received.length === 1);
  await alice.transport.disconnect({ nodeId: bob.id, code: 'ERR_DIFFERENT_NETWORK', reason: 'we are not you' });
  await until('the other one is told', () => bob.gone.length === 1);
  expect(bob.gone[0]).to.deep.equal({ nodeId: alice.id, code: 'ERR_DIFFERENT_NETWORK', reason: 'we are not you' });
  expect(await codeOf(alice.transport.disconnect({ nodeId: bob.id, code: '', reason: '' }))).to.equal(
    'ERR_PEER_NOT_CONNECTED',
  );
  // A node that stops says so.
  await carol.close();
  await until('its peer is told', () => bob.gone.length === 2);
  expect(bob.gone[1]?.nodeId).to.equal(carol.id);
  expect(bob.gone[1]?.code).to.match(/^ERR_PEER_/);
}
