import { expect } from 'chai';
import {
  GENESIS_DEFAULTS,
  Genesis,
  networkOf,
  p2pKeys,
  recoveryContent,
  toHex,
  type Recovery,
} from '@it-chain/contracts';
import { FakeContext, MemoryStorage } from '@it-chain/testkit';
import { Net, type Node } from './fixture.js';

/** The parts of a node that follow from its name. */
const contextOf = (name: string): FakeContext => new FakeContext({ config: {}, seed: name });

/** The network that `operator` recovers; it goes on after block 3 of `before`. */
async function recovering(before: Genesis, operator: string, changes: Partial<Recovery> = {}): Promise<Genesis> {
  const context = contextOf(operator);
  const { publicKey } = context.identity;
  const network = networkOf(before);
  const root = new Uint8Array(32).fill(1);
  const recovery = {
    network,
    height: 3,
    digest: root,
    stateRoot: root,
    systemRoot: root,
    applicationRoot: root,
    reason: 'two disks are gone',
    signature: new Uint8Array(64),
    ...changes,
  };
  const unsigned = { ...before, founder: publicKey, validators: [publicKey], recovery };
  return {
    ...unsigned,
    recovery: { ...recovery, signature: await context.sign('recovery', network, recoveryContent(unsigned)) },
  };
}

const genesisOf = (founder: string, nonce: number): Genesis => {
  const { publicKey } = contextOf(founder).identity;
  const drawn = { nonce: new Uint8Array(32).fill(nonce), founder: publicKey, validators: [publicKey], time: 1 };
  return { ...GENESIS_DEFAULTS, ...drawn, admission: 'open', application: 'kv/1' };
};

const networkText = (genesis: Genesis): string => toHex(networkOf(genesis));

describe('a recovered network', () => {
  let net: Net;
  const before = genesisOf('left', 1);
  beforeEach(() => {
    net = new Net();
  });

  /** A node that has stored a genesis, and blocks where `height` is above 0. */
  async function member(name: string, genesis: Genesis, height: number): Promise<Node> {
    const storage = new MemoryStorage();
    const write = { namespace: 'p2p', key: p2pKeys.genesis, value: Genesis.encode(genesis) } as const;
    await storage.write({ writes: [write], when: [], sync: true, writer: '', sequence: 0 });
    const node = await net.node(name, { storage });
    if (height > 0) await node.commitBlock(height);
    await net.pass(1_500);
    return node;
  }
  const warned = (node: Node): unknown[] =>
    node.context.log.lines
      .filter(({ level }) => level === 'warn')
      .map(({ fields }) => (fields as { code?: string }).code);

  it('parts with the network before, and tells the one that is left behind what to do', async () => {
    const after = await recovering(before, 'left');
    const left = await member('left', after, 3);
    const right = await member('right', before, 3);
    right.roles.set(toHex(left.context.identity.publicKey), 'validator');
    net.connect(left, right);
    await net.pass(1_000);
    expect(net.links.size).to.equal(0);
    expect(await left.network()).to.equal(networkText(after));
    expect(await right.network()).to.equal(networkText(before));
    expect(warned(left)).to.include('ERR_NETWORK_RECOVERED');
    expect(warned(right)).to.include('ERR_NETWORK_RECOVERED');
    expect(right.context.lastHealth.state).to.equal('degraded');
    expect(right.context.lastHealth.reason).to.include('it-chain recover --from').and.include('two disks are gone');
    expect(left.context.lastHealth.state).to.not.equal('degraded');
    const refused = await right.role.join({ address: 'left:7000' }).catch((error: unknown) => error);
    expect((refused as { code?: string }).code).to.equal('ERR_NETWORK_RECOVERED');
    // A member can claim that without need: a network that goes on deciding knows better.
    await right.commitBlock(4);
    expect(right.context.lastHealth.state).to.equal('ok');
  });

  it('is no more than another network where its founder is no member of the one before, or its signature does not hold', async () => {
    const stranger = await recovering(before, 'mallory');
    const mallory = await member('mallory', stranger, 3);
    const right = await member('right', before, 3);
    net.connect(mallory, right);
    await net.pass(1_000);
    expect(warned(right)).to.deep.equal(['ERR_DIFFERENT_NETWORK']);
    expect(right.context.lastHealth.state).to.not.equal('degraded');
    const signed = await recovering(before, 'left');
    const forged = { ...signed, time: 2 };
    const other = await net.node('other');
    other.hello = { ...mallory.hello, network: networkOf(forged), genesis: Genesis.encode(forged) };
    net.connect(other, mallory);
    await net.pass(1_000);
    expect(warned(mallory)).to.include('ERR_DATA_MALFORMED');
  });

  it('takes no founded node over, nor is given up for a lower digest or for blocks, whatever it has of its own', async () => {
    for (const [mine, others] of [
      [3, 0],
      [0, 0],
      [0, 5],
    ] as const) {
      for (let nonce = 1; nonce <= 4; nonce += 1) {
        net = new Net();
        const after = await recovering(genesisOf('left', 9), 'left');
        const founded = genesisOf('right', nonce);
        const left = await member('left', after, mine);
        const right = await member('right', founded, others);
        net.connect(right, left);
        await net.pass(2_000);
        expect([await left.network(), await right.network()]).to.deep.equal([networkText(after), networkText(founded)]);
        expect(net.links.size).to.equal(0);
      }
    }
  });

  it('takes in a node that belongs to none, and never founds as a candidate', async () => {
    const after = await recovering(before, 'left');
    await member('left', after, 3);
    const fresh = await net.node('fresh', { config: { dial: ['left:7000'] } });
    await net.pass(2_000);
    expect(await fresh.network()).to.equal(networkText(after));
    net = new Net();
    const liar = await net.node('liar');
    const victim = await net.node('victim');
    const drawn = await recovering(before, 'liar');
    liar.hello = { ...liar.hello, candidate: Genesis.encode(drawn) };
    net.connect(victim, liar);
    await net.pass(2_000);
    expect(warned(victim)).to.include('ERR_DATA_MALFORMED');
    expect(await victim.network()).to.not.equal(networkText(drawn));
  });
});
