import { expect } from 'chai';
import { Genesis, P2p } from '@it-chain/contracts';
import { Net, connectedNames, type Node } from './fixture.js';

const networks = (nodes: readonly Node[]): Promise<(string | undefined)[]> =>
  Promise.all(nodes.map((node) => node.network()));

describe('founding', () => {
  let net: Net;
  beforeEach(() => {
    net = new Net();
  });

  it(P2p.promises.find((one) => one.startsWith('P3:')) ?? 'P3', async () => {
    const dialled = await net.node('dialled');
    expect(await dialled.network()).to.equal(undefined);
    const dialler = await net.node('dialler', { config: { dial: ['dialled:7000'] } });
    await net.pass(500);
    // The dialler has adopted at once; the founder waits for a second.
    expect(await networks([dialled, dialler])).to.deep.equal([undefined, await dialled.candidate()]);
    await net.pass(1_500);
    expect(await networks([dialled, dialler])).to.deep.equal([await dialled.candidate(), await dialled.candidate()]);
    expect(dialled.context.told(P2p.events.founded).map(({ founder }) => founder)).to.deep.equal([true]);
    expect(dialler.context.told(P2p.events.founded).map(({ founder }) => founder)).to.deep.equal([false]);
    const { genesis } = await dialler.role.network({});
    const { admission, validators, application } = Genesis.decode(genesis ?? new Uint8Array(0));
    expect({ admission, application, count: validators.length }).to.deep.equal({
      admission: 'open',
      application: 'kv/1',
      count: 1,
    });
  });

  it(P2p.promises.find((one) => one.startsWith('P4:')) ?? 'P4', async () => {
    for (const founderDials of [true, false]) {
      net = new Net();
      const founder = await net.node('founder', { solo: true });
      const newcomer = await net.node('newcomer');
      await net.pass(2_000);
      if (founderDials) await founder.role.join({ address: 'newcomer:7000' });
      else net.connect(newcomer, founder);
      await net.pass(1_000);
      expect(await newcomer.network()).to.equal(await founder.candidate());
      expect(newcomer.context.told(P2p.events.founded)).to.have.length(1);
    }
  });

  for (const count of [2, 3, 5]) {
    it(`makes one network of a ring of ${count} unfounded nodes that dial each other at once`, async () => {
      const nodes: Node[] = [];
      for (let index = 0; index < count; index += 1) {
        nodes.push(await net.node(`n${index}`, { config: { dial: [`n${(index + 1) % count}:7000`] } }));
      }
      await net.pass(5_000);
      const found = await networks(nodes);
      expect(new Set(found).size).to.equal(1);
      const founders = await Promise.all(nodes.map(async (node) => (await node.candidate()) === found[0]));
      expect(founders.filter(Boolean)).to.have.length(1);
      // Each knows all the others, through the records that were spread.
      for (const node of nodes) expect((await node.role.list({})).peers).to.have.length(count);
    });
  }

  it('P5: joins two networks of height 0 on the lower digest, and tells both founders', async () => {
    const left = await net.node('left', { solo: true });
    const right = await net.node('right', { solo: true });
    await net.pass(2_000);
    const [a, b] = await networks([left, right]);
    expect(a).to.not.equal(b);
    net.connect(left, right);
    await net.pass(3_000);
    const lower = [a ?? '', b ?? ''].sort()[0];
    expect(await networks([left, right])).to.deep.equal([lower, lower]);
    const changed = lower === a ? right : left;
    expect(changed.context.told(P2p.events.founded)).to.have.length(2);
  });

  it('P5: keeps a network with blocks, whatever the digests', async () => {
    const left = await net.node('left', { solo: true });
    const right = await net.node('right', { solo: true });
    await net.pass(2_000);
    await left.commitBlock(1);
    net.connect(right, left);
    await net.pass(2_000);
    expect(await right.network()).to.equal(await left.candidate());
  });

  it('P5: refuses a network with blocks where there are blocks, on both sides, and changes nothing', async () => {
    const left = await net.node('left', { solo: true });
    const right = await net.node('right', { solo: true });
    await net.pass(2_000);
    for (const node of [left, right]) await node.commitBlock(3);
    const before = await networks([left, right]);
    await right.role.join({ address: 'left:7000' }).catch(() => undefined);
    await net.pass(2_000);
    expect(await networks([left, right])).to.deep.equal(before);
    expect(net.links.size).to.equal(0);
    for (const node of [left, right]) {
      const warned = node.context.log.lines.filter(({ level }) => level === 'warn');
      expect(warned.map(({ message }) => message)).to.include('a peer of another network is refused');
      expect(warned[0]?.fields).to.include({ own: await node.network() });
    }
    const dials = net.dials.length;
    await net.pass(60_000);
    expect(net.dials.length).to.equal(dials);
  });

  it('does not change the network once block 1 is there, even where nobody told it', async () => {
    const left = await net.node('left', { solo: true });
    const right = await net.node('right', { solo: true });
    await net.pass(2_000);
    const [a, b] = await networks([left, right]);
    const higher = (a ?? '') > (b ?? '') ? left : right;
    const other = higher === left ? right : left;
    // The block is in the store, but the event was lost: the condition of the write finds it.
    const tell = higher.context.tell.bind(higher.context);
    higher.context.tell = () => Promise.resolve();
    await higher.commitBlock(1);
    higher.context.tell = tell;
    net.connect(other, higher);
    await net.pass(3_000);
    expect(await networks([left, right])).to.deep.equal([await higher.candidate(), await higher.candidate()]);
  });

  it('founds alone when asked, once, and answers when it has settled', async () => {
    const node = await net.node('alone');
    const asked = node.role.found({});
    await net.pass(2_000);
    const { genesis, candidate } = await asked;
    expect(genesis).to.deep.equal(candidate);
    await node.role.found({});
    expect(node.context.told(P2p.events.founded)).to.have.length(1);
  });

  it('joins the pinned network only, and never founds', async () => {
    const wanted = await net.node('wanted', { solo: true });
    await net.node('other', { solo: true });
    await net.pass(2_000);
    const network = await wanted.network();
    const pinned = await net.node('pinned', { config: { network, dial: ['other:7000'] } });
    await net.node('visitor', { config: { dial: ['pinned:7000'] } });
    await net.pass(3_000);
    expect(await pinned.network()).to.equal(undefined);
    expect(await connectedNames(pinned)).to.not.include('other');
    net.connect(wanted, pinned);
    await net.pass(2_000);
    expect(await pinned.network()).to.equal(network);
  });

  it('refuses a hello that contradicts itself or runs another application', async () => {
    const node = await net.node('node');
    const liar = await net.node('liar', { solo: true });
    await net.pass(1_500);
    liar.hello = { ...liar.hello, network: new Uint8Array(32) };
    net.connect(liar, node);
    await net.pass(300);
    expect(node.context.log.of('warn')).to.include('the hello of a peer is refused');
    expect(await node.network()).to.equal(undefined);
  });

  it('asks for votes where it listens for everybody, and keeps its candidate across restarts', async () => {
    const node = await net.node('public', { listen: '0.0.0.0:7000' });
    const { candidate } = await node.role.network({});
    expect(Genesis.decode(candidate ?? new Uint8Array(0)).admission).to.equal('vote');
    await node.stop();
    const again = await net.node('public', { storage: node.storage });
    expect((await again.role.network({})).candidate).to.deep.equal(candidate);
  });

  it('draws its candidate when the doors are open, so that whoever reads "ready" finds one', async () => {
    const node = await net.node('prompt', { listen: '' });
    expect(await node.role.network({})).to.deep.equal({});
    node.listening = '127.0.0.1:4711';
    await node.open();
    const { candidate } = await node.role.network({});
    expect(candidate).to.be.an.instanceOf(Uint8Array);
    await net.pass(2_000);
    expect((await node.role.network({})).candidate).to.deep.equal(candidate);
  });

  it('waits for the gateway to say where it listens before it draws the candidate', async () => {
    const node = await net.node('late', { listen: '' });
    expect(await node.role.network({})).to.deep.equal({});
    // Dialled before it can found: both wait, and its candidate goes to the dialler as soon as it is drawn.
    const dialler = await net.node('dialler');
    net.connect(dialler, node);
    await net.pass(500);
    expect(await dialler.network()).to.equal(undefined);
    node.listening = '127.0.0.1:4711';
    await net.pass(2_000);
    const { candidate } = await node.role.network({});
    expect(await dialler.network()).to.equal(await node.candidate());
    expect(await node.network()).to.equal(await node.candidate());
    expect(Genesis.decode(candidate ?? new Uint8Array(0)).admission).to.equal('open');
  });
});
