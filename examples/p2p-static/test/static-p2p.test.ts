import { expect } from 'chai';
import {
  Application,
  Consensus,
  Genesis,
  P2p,
  Storage,
  Transport,
  failure,
  genesisValidators,
  p2pKeys,
  toHex,
  type Session,
} from '@it-chain/contracts';
import { FakeContext, ManualClock, MemoryStorage, settle } from '@it-chain/testkit';
import plugin, { StaticConfig, staticGenesis } from '@it-chain/example-p2p-static';

const NAMES = ['alice', 'bob', 'carol'];
const contextOf = (seed: string, config: StaticConfig, clock = new ManualClock()) =>
  new FakeContext({ config, seed, clock });
const keyOf = (name: string): Uint8Array => new FakeContext({ config: undefined, seed: name }).keys.publicKey;
const configOf = (more: Record<string, unknown> = {}): StaticConfig =>
  StaticConfig.parse({
    network: 'test',
    members: NAMES.map((name, index) => ({
      publicKey: toHex(keyOf(name)),
      address: `127.0.0.1:${9_000 + index}`,
      name,
    })),
    ...more,
  });

/** The plugin on doubles, with sessions that the test opens. */
class Node {
  readonly dialled: string[] = [];
  readonly ended: { readonly nodeId: string; readonly code: string }[] = [];
  readonly answered: string[] = [];
  sessions: Session[] = [];
  reachable = true;
  readonly context: FakeContext<StaticConfig>;
  running: { start(): Promise<void>; stop(): Promise<void> } | undefined;

  constructor(
    seed: string,
    readonly storage = new MemoryStorage(),
    readonly config = configOf(),
  ) {
    this.context = contextOf(seed, config);
    this.context.provide(Storage, storage);
    this.context.provide(Application, {
      ...({} as Application),
      info: () => Promise.resolve({ name: 'kv/1', emptyRoot: new Uint8Array(32) }),
    });
    this.context.provide(Consensus, {
      ...({} as Consensus),
      status: () =>
        Promise.resolve({
          height: 0,
          round: 0,
          leader: new Uint8Array(0),
          quorum: 0,
          validator: false,
          views: [],
          waiting: '',
        }),
    });
    this.context.provide(Transport, {
      ...({} as Transport),
      announce: () => Promise.resolve({}),
      sessions: () => Promise.resolve({ sessions: this.sessions }),
      dial: ({ address }) => {
        this.dialled.push(address);
        const name = NAMES.find((one) => address.startsWith(contextOf(one, this.config).identity.nodeId));
        if (!this.reachable || name === undefined)
          return Promise.reject(failure('ERR_PEER_UNREACHABLE', 'nobody there'));
        const session = this.session(name);
        this.sessions.push(session);
        return Promise.resolve(session);
      },
      disconnect: ({ nodeId, code }) => {
        this.ended.push({ nodeId, code });
        return Promise.resolve({});
      },
      answer: ({ errorCode }) => {
        this.answered.push(errorCode);
        return Promise.resolve({});
      },
    });
  }

  session(name: string, network = staticGenesis(this.config, 'kv/1').network): Session {
    const { nodeId, publicKey } = contextOf(name, this.config).identity;
    const none = new Uint8Array(0);
    const hello = { network, genesis: none, height: 0, name, addresses: [], candidate: none, leader: none };
    return { nodeId, publicKey, address: '127.0.0.1:1', direction: 'inbound', since: 1, hello };
  }

  async start(): Promise<this> {
    this.running = await this.context.setup(plugin);
    await this.running.start();
    await settle(20);
    return this;
  }

  get role(): P2p {
    return this.context.servedRole(P2p);
  }
}

describe('StaticP2p', () => {
  it('belongs to the network of its config from the start, the same on every node', async () => {
    const [alice, bob] = [await new Node('alice').start(), await new Node('bob').start()];
    const [a, b] = [(await alice.role.network({})).genesis, (await bob.role.network({})).genesis];
    expect(toHex(a ?? new Uint8Array(0))).to.equal(toHex(b ?? new Uint8Array(1)));
    const genesis = Genesis.decode(a ?? new Uint8Array(0));
    expect(genesisValidators(genesis).validators.map(({ publicKey }) => toHex(publicKey))).to.deep.equal(
      NAMES.map((name) => toHex(keyOf(name))),
    );
    expect(alice.context.told(P2p.events.founded).map(({ founder }) => founder)).to.deep.equal([true]);
    expect(bob.context.told(P2p.events.founded).map(({ founder }) => founder)).to.deep.equal([false]);
    const other = await new Node('alice', new MemoryStorage(), configOf({ network: 'other' })).start();
    expect(toHex((await other.role.network({})).genesis ?? new Uint8Array(0))).to.not.equal(
      toHex(a ?? new Uint8Array(0)),
    );
  });

  it('dials the others by their ids, again with growing pauses until they answer', async () => {
    const node = new Node('alice');
    node.reachable = false;
    await node.start();
    expect(node.dialled).to.have.length(2);
    expect(node.dialled.every((address) => /^\w+@127\.0\.0\.1:900[12]$/.test(address))).to.equal(true);
    await node.context.clock.advance(60_000);
    const tries = node.dialled.length;
    expect(tries).to.be.within(8, 40);
    node.reachable = true;
    await node.context.clock.advance(20_000);
    await settle(20);
    const { peers } = await node.role.list({});
    expect(peers.map(({ name, self, connected }) => [name, self, connected])).to.deep.equal([
      ['alice', true, false],
      ['bob', false, true],
      ['carol', false, true],
    ]);
    const settled = node.dialled.length;
    await node.context.clock.advance(60_000);
    expect(node.dialled.length).to.equal(settled);
  });

  it('sends strangers away, and members with another config', async () => {
    const node = await new Node('alice').start();
    await node.context.tell(Transport.events.connected, node.session('mallory'));
    await node.context.tell(Transport.events.connected, node.session('bob', new Uint8Array(32).fill(9)));
    expect(node.ended.map(({ code }) => code)).to.deep.equal(['ERR_JOIN_REFUSED', 'ERR_DIFFERENT_NETWORK']);
  });

  it('refuses every join, its own and that of others', async () => {
    const node = await new Node('alice').start();
    const code = await node.role
      .join({ address: '127.0.0.1:1' })
      .catch((error: unknown) => (error as { code?: string }).code);
    expect(code).to.equal('ERR_JOIN_REFUSED');
    const asked = { from: 'x', publicKey: new Uint8Array(32), requestId: 'r', kind: 'join', body: new Uint8Array(0) };
    await node.context.tell(Transport.events.asked, asked);
    expect(node.answered).to.deep.equal(['ERR_JOIN_REFUSED']);
  });

  it('P6: the leader is what consensus last said, also after a restart', async () => {
    const node = await new Node('alice').start();
    expect((await node.role.leader({})).publicKey).to.equal(undefined);
    await node.context.tell(Consensus.events.round, { height: 5, round: 1, leader: keyOf('bob') });
    await node.context.tell(Consensus.events.round, { height: 5, round: 0, leader: keyOf('carol') });
    expect(toHex((await node.role.leader({})).publicKey ?? new Uint8Array(0))).to.equal(toHex(keyOf('bob')));
    expect(node.context.told(P2p.events.leaderUpdated)).to.have.length(1);
    const again = await new Node('alice', node.storage).start();
    expect(toHex((await again.role.leader({})).publicKey ?? new Uint8Array(0))).to.equal(toHex(keyOf('bob')));
  });

  it('does not start as a stranger, or with a config that is not that of its store', async () => {
    const codeOf = (node: Node): Promise<unknown> =>
      node.start().then(
        () => 'started',
        (error: unknown) => (error as { code?: unknown }).code,
      );
    expect(await codeOf(new Node('mallory'))).to.equal('ERR_STATIC_NOT_MEMBER');
    const node = await new Node('alice').start();
    const stored = await node.storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis] });
    expect(stored.values[0]?.value).to.not.equal(undefined);
    expect(await codeOf(new Node('alice', node.storage, configOf({ network: 'other' })))).to.equal(
      'ERR_DIFFERENT_NETWORK',
    );
    expect(() => configOf({ members: [] })).to.throw();
  });
});
