import { expect } from 'chai';
import {
  AdmissionRequest,
  Genesis,
  Consensus,
  NodeRecordBatch,
  P2p,
  PEER_KINDS,
  Transport,
  decodeTransaction,
  fromHex,
  genesisSystemState,
  genesisValidators,
  joinSigningBytes,
  keyPairFromSeed,
  nodeIdOf,
  recordSigningBytes,
  sha256,
  signBytes,
  toHex,
  transactionSigningBytes,
  utf8,
  verifySignature,
  type KeyPair,
  type MembersAnswer,
  type NodeRecord,
} from '@it-chain/contracts';
import { Net, connectedNames, type Node } from './fixture.js';

const keysOf = (name: string): KeyPair => keyPairFromSeed(sha256(utf8(name)));

function recordOf(name: string, sequence: number, network: Uint8Array, address = `${name}:7000`): NodeRecord {
  const keys = keysOf(name);
  const unsigned = { publicKey: keys.publicKey, name, addresses: [address], sequence };
  return { ...unsigned, signature: signBytes(recordSigningBytes(unsigned, network), keys.secretKey) };
}

async function founded(net: Net, name: string, config: unknown = {}): Promise<{ node: Node; network: Uint8Array }> {
  const node = await net.node(name, { solo: true, config });
  await net.pass(2_500);
  const network = fromHex((await node.network()) ?? '', 32);
  if (network === undefined) throw new Error('not founded');
  return { node, network };
}

const titleOf = (number: string): string => P2p.promises.find((one) => one.startsWith(`${number}:`)) ?? number;
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('the peer table', () => {
  let net: Net;
  beforeEach(() => {
    net = new Net();
  });

  it(titleOf('P1'), async () => {
    const names = ['a', 'b', 'c'];
    const nodes: Node[] = [];
    for (const name of names) nodes.push(await net.node(name, { config: { dial: name === 'a' ? [] : ['a:7000'] } }));
    await net.pass(6_000);
    const [, b, c] = nodes;
    if (b === undefined || c === undefined) throw new Error('no nodes');
    // b and c never heard of each other but through a.
    expect(await connectedNames(b)).to.deep.equal(['a', 'c']);
    await c.stop();
    await net.pass(1_000);
    expect(await connectedNames(b)).to.deep.equal(['a']);
    const from = net.clock.now();
    await net.pass(120_000);
    const dials = net.dials.filter((dial) => dial.from === 'b' && dial.to === 'c:7000' && dial.at > from);
    expect(dials.length).to.be.within(4, 12);
    for (let index = 1; index < dials.length; index += 1) {
      expect((dials[index]?.at ?? 0) - (dials[index - 1]?.at ?? 0)).to.be.at.least(1_000);
    }
    // Restarted without any address to dial: it finds the others in its table.
    const again = await net.node('c', { storage: c.storage });
    await net.pass(3_000);
    expect(await connectedNames(again)).to.deep.equal(['a', 'b']);
    const { peers } = await again.role.list({});
    expect(peers[0]).to.include({ self: true, name: 'c', nodeId: again.id });
    expect(peers.slice(1).every((peer) => peer.connected && peer.address !== '' && peer.since > 0)).to.equal(true);
  });

  it('does not dial a peer again that an operator disconnected, until somebody connects', async () => {
    const { node } = await founded(net, 'node');
    const peer = await net.node('peer', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    for (const link of net.links) net.cut(link, 'ERR_PEER_DISCONNECTED', 'asked for');
    const before = net.dials.length;
    await net.pass(60_000);
    expect(net.dials.length).to.equal(before);
    net.connect(node, peer);
    await net.pass(500);
    for (const link of net.links) net.cut(link);
    await net.pass(5_000);
    expect(await connectedNames(node)).to.deep.equal(['peer']);
  });

  const dialsOf = (to: string, since: number) =>
    net.dials.filter((dial) => dial.from === 'node' && dial.to === `${to}:7000` && dial.at > since);

  /** A node that has the records of these others, and a peer that told them; nobody answers at their addresses. */
  async function among(names: readonly string[]): Promise<Node> {
    const { node, network } = await founded(net, 'node');
    const teller = await net.node('teller', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    await node.context.tell(Transport.events.received, {
      from: teller.id,
      publicKey: teller.context.identity.publicKey,
      kind: PEER_KINDS.record,
      body: NodeRecordBatch.encode({ records: names.map((name) => recordOf(name, 1, network)) }),
    });
    return node;
  }

  it('dials a validator again within maxMemberPauseMs, however long it was away, and a stranger later', async () => {
    const node = await among(['member', 'stranger']);
    node.roles.set(toHex(keysOf('member').publicKey), 'validator');
    await net.pass(80_000);
    const from = net.clock.now();
    await net.pass(40_000);
    expect(dialsOf('member', from).length).to.be.within(7, 17);
    expect(dialsOf('stranger', from).length).to.be.within(1, 3);
  });

  it('dials everybody soon once one that could not be reached is connected again, but not who was refused', async () => {
    const node = await among(['other', 'elsewhere']);
    const back = await net.node('back', { config: { dial: ['node:7000'] } });
    const elsewhere = await founded(net, 'elsewhere');
    await elsewhere.node.commitBlock(3);
    await node.commitBlock(3);
    await net.pass(2_000);
    await back.stop();
    await net.pass(50_000);
    const refusals = dialsOf('elsewhere', 0).length;
    const from = net.clock.now();
    net.connect(await net.node('back', { storage: back.storage }), node);
    await net.pass(2_500);
    expect(dialsOf('other', from)).to.have.length(1);
    expect(dialsOf('elsewhere', from)).to.deep.equal([]);
    expect(refusals).to.equal(1);
  });

  it('gives every dead member its turn where there are more than dials at once', async () => {
    const names = Array.from({ length: 24 }, (_, index) => `m${index}`);
    const node = await among(names);
    for (const name of names) {
      node.roles.set(toHex(keysOf(name).publicKey), 'validator');
      net.silent.set(`${name}:7000`, 5_000);
    }
    await net.pass(30_000);
    const from = net.clock.now();
    await net.pass(40_000);
    expect(names.filter((name) => dialsOf(name, from).length === 0)).to.deep.equal([]);
  });

  it(titleOf('P2'), async () => {
    const { node, network } = await founded(net, 'node');
    const peer = await net.node('peer', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    const tell = async (...records: NodeRecord[]) => {
      const body = NodeRecordBatch.encode({ records });
      const { publicKey } = peer.context.identity;
      await node.context.tell(Transport.events.received, { from: peer.id, publicKey, kind: PEER_KINDS.record, body });
      const { peers } = await node.role.list({});
      return peers.find((row) => row.name.startsWith('stranger'))?.address;
    };
    expect(await tell({ ...recordOf('stranger', 5, network), signature: new Uint8Array(64) })).to.equal(undefined);
    expect(await tell(recordOf('stranger', 5, new Uint8Array(32)))).to.equal(undefined);
    expect(await tell({ ...recordOf('stranger', 5, network), sequence: 6 })).to.equal(undefined);
    expect(await tell(recordOf('stranger', 5, network, 'x:1'))).to.equal('x:1');
    expect(await tell(recordOf('stranger', 5, network, 'x:2'))).to.equal('x:1');
    expect(await tell(recordOf('stranger', 4, network, 'x:3'))).to.equal('x:1');
    expect(await tell(recordOf('stranger', 6, network, 'x:4'))).to.equal('x:4');
    const joined = node.context.told(P2p.events.joined).filter(({ peer: row }) => row.name === 'stranger');
    expect(joined.map(({ peer: row }) => row.address)).to.deep.equal(['x:1', 'x:4']);
    // It went on to whoever else is connected, and nobody takes a record of the node itself from others.
    const { peers } = await node.role.list({});
    expect(peers.filter((row) => row.nodeId === node.id)).to.have.length(1);
  });

  it('raises the sequence of its own record with every start', async () => {
    const { node } = await founded(net, 'node');
    const { node: other } = await founded(net, 'other');
    net.connect(other, node);
    await net.pass(3_000);
    const seen = async () => (await node.storage.read({ namespace: 'p2p', keys: [utf8('self')] })).values[0]?.value;
    const before = await seen();
    await node.stop();
    await net.node('node', { storage: node.storage });
    await net.pass(3_000);
    expect(Buffer.compare((await seen()) ?? new Uint8Array(0), before ?? new Uint8Array(0))).to.equal(1);
  });

  it('is bounded: strangers give way to each other, members and sessions stay', async () => {
    const { node, network } = await founded(net, 'node', { maxPeers: 10, maxRecordsPerMinute: 40 });
    const member = await net.node('member', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    node.roles.set(toHex(keysOf('away').publicKey), 'validator');
    const { publicKey } = member.context.identity;
    const tell = (records: NodeRecord[]) =>
      node.context.tell(Transport.events.received, {
        from: member.id,
        publicKey,
        kind: PEER_KINDS.record,
        body: NodeRecordBatch.encode({ records }),
      });
    await tell([recordOf('away', 1, network)]);
    await net.pass(2_500);
    for (let round = 0; round < 10; round += 1) {
      await tell(Array.from({ length: 10 }, (_, index) => recordOf(`fake${round}/${index}`, 1, network)));
    }
    const { peers } = await node.role.list({});
    expect(peers.length).to.equal(11);
    expect(peers.map(({ name }) => name)).to.include.members(['member', 'away']);
    // Of 100 records in a minute only 40 were even looked at.
    expect(node.context.told(P2p.events.joined).length).to.be.at.most(42);
  });

  it('survives garbage of every kind', async () => {
    const { node } = await founded(net, 'node');
    const peer = await net.node('peer', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    const { publicKey } = peer.context.identity;
    for (const kind of [PEER_KINDS.record, PEER_KINDS.hello, 'other']) {
      for (const body of [
        new Uint8Array(0),
        new Uint8Array([255]),
        utf8('{"json":1}'),
        new Uint8Array(1_000).fill(7),
      ]) {
        await node.context.tell(Transport.events.received, { from: peer.id, publicKey, kind, body });
      }
    }
    await node.context.tell(Transport.events.asked, {
      from: peer.id,
      publicKey,
      requestId: 'x',
      kind: 'join',
      body: utf8('x'),
    });
    expect(await node.network()).to.equal(await peer.network());
  });

  it(titleOf('P6'), async () => {
    const node = await net.node('node');
    const { publicKey, nodeId } = node.context.identity;
    const tell = (height: number, round: number, leader: Uint8Array) =>
      node.context.tell(Consensus.events.round, { height, round, leader });
    await tell(1, 0, publicKey);
    expect(await node.role.leader({})).to.deep.equal({ nodeId: '', height: 0, round: 0 });
    const asked = node.role.found({});
    await net.pass(2_000);
    await asked;
    const other = keysOf('other').publicKey;
    await tell(1, 0, publicKey);
    await tell(2, 0, publicKey);
    await tell(3, 1, other);
    await tell(3, 0, publicKey);
    expect(await node.role.leader({})).to.deep.include({ nodeId: nodeIdOf(other), height: 3, round: 1 });
    expect(node.context.told(P2p.events.leaderUpdated).map((leader) => leader.nodeId)).to.deep.equal([
      nodeId,
      nodeIdOf(other),
    ]);
    await node.stop();
    const again = await net.node('node', { storage: node.storage });
    expect((await again.role.leader({})).nodeId).to.equal(nodeIdOf(other));
  });
});

describe('join', () => {
  let net: Net;
  beforeEach(() => {
    net = new Net();
  });

  const join = async (node: Node, address: string) => {
    const asked = node.role.join({ address });
    const outcome = asked.then(
      (answer) => ({ answer, code: undefined }),
      (error: unknown) => ({ answer: undefined, code: (error as { code?: unknown }).code }),
    );
    await net.pass(40_000);
    return outcome;
  };

  it('founds by being dialled, and admits the joiner by a signed membership transaction', async () => {
    const sponsor = await net.node('sponsor');
    const joiner = await net.node('joiner');
    const { answer } = await join(joiner, 'sponsor:7000');
    const [encoded] = sponsor.submitted;
    if (answer === undefined || encoded === undefined) throw new Error('nothing was submitted');
    const { value, id } = decodeTransaction(encoded);
    expect(toHex(answer.transaction)).to.equal(toHex(id));
    expect(toHex(answer.network)).to.equal(await sponsor.candidate());
    expect(answer.nodeId).to.equal(sponsor.id);
    expect(toHex(value.sender)).to.equal(toHex(sponsor.context.identity.publicKey));
    expect(verifySignature(value.sender, transactionSigningBytes(encoded, value.network), value.signature)).to.equal(
      true,
    );
    const admitted = value.membership?.join;
    if (admitted === undefined) throw new Error('no join');
    const message = joinSigningBytes(value.network, admitted.publicKey, admitted.name);
    expect(verifySignature(joiner.context.identity.publicKey, message, admitted.signature)).to.equal(true);
    expect(admitted.name).to.equal('joiner');
  });

  it('passes the join from a learner on to a validator', async () => {
    const validator = await net.node('validator');
    const learner = await net.node('learner', { config: { dial: ['validator:7000'] } });
    await net.pass(3_000);
    for (const node of [validator, learner]) {
      node.roles.set(toHex(validator.context.identity.publicKey), 'validator');
      node.roles.set(toHex(learner.context.identity.publicKey), 'learner');
    }
    const joiner = await net.node('joiner');
    const { answer } = await join(joiner, 'learner:7000');
    expect(answer?.nodeId).to.equal(learner.id);
    expect(answer?.transaction).to.have.length(32);
    expect(learner.submitted).to.have.length(0);
    expect(validator.submitted).to.have.length(1);
  });

  it('answers without a transaction where the joiner is a member already', async () => {
    const sponsor = await net.node('sponsor');
    const joiner = await net.node('joiner');
    sponsor.roles.set(toHex(joiner.context.identity.publicKey), 'learner');
    const { answer } = await join(joiner, 'sponsor:7000');
    expect(answer?.transaction).to.have.length(0);
    expect(sponsor.submitted).to.have.length(0);
  });

  it('submits one transaction for joins that are asked again', async () => {
    const sponsor = await net.node('sponsor');
    const joiner = await net.node('joiner');
    const calls = [joiner.role.join({ address: 'sponsor:7000' }), joiner.role.join({ address: 'sponsor:7000' })];
    await net.pass(5_000);
    const [first, second] = await Promise.all(calls);
    expect(first?.transaction).to.deep.equal(second?.transaction);
    expect(sponsor.submitted).to.have.length(1);
  });

  it('is refused by the policy, by the pool, for somebody else and with a wrong signature', async () => {
    const closed = await net.node('closed', { config: { genesis: { admission: 'allowlist' } } });
    const joiner = await net.node('joiner');
    expect((await join(joiner, 'closed:7000')).code).to.equal('ERR_JOIN_REFUSED');
    net = new Net();
    const full = await net.node('full');
    full.poolAnswer = { state: 'rejected', code: 'ERR_TXPOOL_FULL' };
    expect((await join(await net.node('joiner'), 'full:7000')).code).to.equal('ERR_JOIN_REFUSED');
    expect(closed.submitted).to.have.length(0);

    net = new Net();
    const { node, network } = await founded(net, 'node');
    const peer = await net.node('peer', { config: { dial: ['node:7000'] } });
    await net.pass(2_000);
    const ask = (name: string, signer: string, hops: number) => {
      const { publicKey } = keysOf(name);
      const signature = signBytes(joinSigningBytes(network, publicKey, name), keysOf(signer).secretKey);
      const body = AdmissionRequest.encode({ network, join: { publicKey, name, signature }, hops });
      return codeOf(peer.fetch(node.id, body));
    };
    expect(await ask('peer', 'peer', 0)).to.equal('answered');
    expect(await ask('somebody', 'somebody', 0)).to.equal('ERR_JOIN_REFUSED');
    expect(await ask('peer', 'somebody', 0)).to.equal('ERR_JOIN_REFUSED');
    expect(await ask('somebody', 'somebody', 1)).to.equal('answered');
  });

  it('under admission by vote proposes the joiner, without its own approval and not without end', async () => {
    const config = { genesis: { admission: 'vote' }, maxJoinProposals: 2 };
    const sponsor = await net.node('sponsor', { config });
    const joiner = await net.node('joiner');
    const { answer } = await join(joiner, 'sponsor:7000');
    expect(answer?.voted).to.equal(true);
    const [encoded] = sponsor.submitted;
    const { value, id } = decodeTransaction(encoded ?? new Uint8Array(0));
    expect(toHex(answer?.transaction ?? new Uint8Array(0))).to.equal(toHex(id));
    const proposed = value.membership?.propose;
    expect(proposed?.approve).to.equal(false);
    expect(toHex(proposed?.action.admit?.publicKey ?? new Uint8Array(0))).to.equal(
      toHex(joiner.context.identity.publicKey),
    );
    const genesis = Genesis.decode((await sponsor.role.network({})).genesis ?? new Uint8Array(0));
    const { publicKey } = sponsor.context.identity;
    const proposal = (key: Uint8Array, number: number) => ({
      id: sha256(new Uint8Array([number])),
      proposer: publicKey,
      action: { admit: { publicKey: key, name: '' } },
      expiresAt: 100,
      votes: [],
    });
    const members = (...keys: Uint8Array[]): MembersAnswer => ({
      height: 1,
      validators: genesisValidators(genesis),
      state: { ...genesisSystemState(genesis), proposals: keys.map(proposal) },
      policy: { admission: 'vote', allowlist: [], growth: 'skip-two' },
      minValidators: 1,
      leaderTerm: 0,
    });
    await net.pass(15_000);
    // Asked again: the proposal that waits is named, nothing is submitted.
    sponsor.members = members(joiner.context.identity.publicKey);
    const again = await join(joiner, 'sponsor:7000');
    expect(toHex(again.answer?.transaction ?? new Uint8Array(0))).to.equal(toHex(sha256(new Uint8Array([0]))));
    expect(sponsor.submitted).to.have.length(1);
    // As many as this node proposes by itself wait.
    sponsor.members = members(keysOf('x').publicKey, keysOf('y').publicKey);
    expect((await join(await net.node('late'), 'sponsor:7000')).code).to.equal('ERR_JOIN_REFUSED');
    expect(sponsor.submitted).to.have.length(1);
  });

  it('goes by the policy that was voted on, and refuses who was evicted', async () => {
    const { node: sponsor, network } = await founded(net, 'sponsor', { genesis: { admission: 'allowlist' } });
    const joiner = await net.node('joiner');
    expect(network).to.have.length(32);
    expect((await join(joiner, 'sponsor:7000')).code).to.equal('ERR_JOIN_REFUSED');
    const genesis = Genesis.decode((await sponsor.role.network({})).genesis ?? new Uint8Array(0));
    const { publicKey } = joiner.context.identity;
    const members = (evicted: MembersAnswer['state']['evicted']): MembersAnswer => ({
      height: 1,
      validators: genesisValidators(genesis),
      state: { ...genesisSystemState(genesis), evicted },
      policy: { admission: 'allowlist', allowlist: [publicKey], growth: 'skip-two' },
      minValidators: 1,
      leaderTerm: 0,
    });
    sponsor.members = members([{ publicKey, height: 3, reason: 'dead', readmitted: 0 }]);
    expect((await join(joiner, 'sponsor:7000')).code).to.equal('ERR_JOIN_REFUSED');
    sponsor.members = members([{ publicKey, height: 3, reason: 'dead', readmitted: 5 }]);
    const { answer } = await join(joiner, 'sponsor:7000');
    expect(answer?.voted).to.equal(false);
    expect(sponsor.submitted).to.have.length(1);
  });

  it('gives up with a code where neither node may found', async () => {
    await net.node('pinned', { config: { network: 'ab'.repeat(32) } });
    const joiner = await net.node('joiner');
    expect((await join(joiner, 'pinned:7000')).code).to.equal('ERR_NETWORK_UNFOUNDED');
    expect((await join(joiner, 'nobody:7000')).code).to.equal('ERR_PEER_UNREACHABLE');
  });
});
