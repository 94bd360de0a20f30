import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { equivocation, toHex } from '@it-chain/contracts';
import { FakeNode } from '@it-chain/testkit';
import { expect } from 'chai';
import { run, type RunOptions } from './run.js';
import { serveNode, type ServedNode } from './serve-node.js';

describe('verbs that ask a node', () => {
  let node: FakeNode;
  let served: ServedNode;
  let folder: string;
  const ask = (args: string, options?: RunOptions) => run([...args.split(' '), '--api', served.address], options);
  const asJson = async (args: string) => {
    const { code, json, err } = await ask(`${args} --json`);
    expect(code, err).to.equal(0);
    return json[0]!;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-cli-'));
    node = new FakeNode();
    served = await serveNode(node);
  });
  afterEach(async () => {
    await served.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('status: null network and leader before founding, and a candidate', async () => {
    const before = await asJson('status');
    expect(before).to.include({ nodeId: node.nodeId, network: null, leader: null, role: 'unfounded', height: 0 });
    expect(before['candidate']).to.equal(toHex(node.network));
    node.found();
    node.commit();
    const after = await asJson('status');
    expect(after).to.have.keys(
      ...[
        'nodeId',
        'name',
        'network',
        'candidate',
        'height',
        'digest',
        'leader',
        'round',
        'role',
        'validators',
        'peers',
      ],
      ...[
        'pool',
        'plugins',
        'waiting',
        'publicKey',
        'peerAddress',
        'stateRoot',
        'window',
        'version',
        'startedAt',
        'insecure',
      ],
    );
    expect(after).to.include({
      network: toHex(node.network),
      leader: node.nodeId,
      role: 'validator',
      validators: 1,
      peers: 0,
    });
    expect(after['plugins']).to.deep.equal([
      { name: 'chain', role: 'chain', version: '1.0.0', state: 'ready', reason: null },
    ]);
    const human = await ask('status');
    expect(human.code).to.equal(0);
    expect(human.out).to.match(/role +validator/);
    expect(human.out).to.not.include('\x1b');
    expect((await ask('status --metrics')).out).to.equal('up 1\n');
  });

  it('status has colour on a terminal, and none with NO_COLOR', async () => {
    expect((await ask('status', { tty: true })).out).to.include('\x1b[');
    expect((await ask('status', { tty: true, env: { NO_COLOR: '1' } })).out).to.not.include('\x1b[');
    expect((await ask('status --no-color', { tty: true })).out).to.not.include('\x1b[');
  });

  it('id, peers, leader, validators', async () => {
    expect((await ask('leader')).out).to.equal('none\n');
    expect(await asJson('leader')).to.deep.equal({ leader: null, height: 0, round: 0 });
    node.found();
    expect(await asJson('id')).to.include({ nodeId: node.nodeId });
    expect((await ask('id')).out.trim()).to.equal(node.nodeId);
    const peers = (await asJson('peers')) as unknown as Record<string, unknown>[];
    expect(peers[0]).to.include({
      nodeId: node.nodeId,
      self: true,
      connected: true,
      direction: 'none',
      role: 'validator',
    });
    expect((await ask('peers')).out).to.include('self');
    expect(await asJson('leader')).to.deep.equal({ leader: node.nodeId, height: 1, round: 0 });
    expect(await asJson('validators')).to.deep.include({ height: 1, validators: [node.nodeId], quorum: 1 });
    expect((await ask('validators --height 1')).out).to.include(node.nodeId);
  });

  it('dial, join, disconnect, leave', async () => {
    expect(await asJson('dial 127.0.0.1:7010')).to.include({ nodeId: node.nodeId, address: '127.0.0.1:7010' });
    expect((await ask('dial 127.0.0.1:1')).code).to.equal(3);
    const joined = await asJson('join 127.0.0.1:7010');
    expect(joined).to.include({ nodeId: node.nodeId, network: toHex(node.network) });
    expect(joined['transaction']).to.match(/^[0-9a-f]{64}$/);
    expect((await ask('join 127.0.0.1:7010')).out).to.include('joined network');
    const gone = await ask('disconnect nobody');
    expect(gone.code).to.equal(4);
    expect(gone.err.split('\n').map((line) => line.slice(0, 6))).to.deep.equal(['error:', 'why:  ', 'try:  ', '']);
    expect(await asJson(`disconnect ${node.nodeId}`)).to.deep.equal({ nodeId: node.nodeId, connected: false });
    expect((await asJson('leave'))['transaction']).to.match(/^[0-9a-f]{64}$/);
  });

  it('members: list, propose, vote, evict, evidence', async () => {
    node.found();
    const stranger = new Uint8Array(32).fill(7);
    const submitted = (json: Record<string, unknown>) => node.pool.get(String(json['id']))?.value.membership;
    const list = await asJson('members list');
    expect(list).to.deep.include({ admission: 'open', growth: 'skip-two', quorum: 1, tolerated: 0, proposals: [] });
    expect(list['members']).to.have.length(1);

    const admitted = await asJson(`members propose admit ${toHex(stranger)} --name joiner`);
    expect(submitted(admitted)?.propose).to.deep.equal({
      action: { admit: { publicKey: stranger, name: 'joiner' } },
      approve: true,
    });
    const policy = await asJson(`members propose policy --admission vote --allow ${toHex(stranger)} --no-approve`);
    expect(submitted(policy)?.propose).to.deep.equal({
      action: { policy: { admission: 'vote', allow: [stranger], disallow: [] } },
      approve: false,
    });
    for (const wrong of ['propose nothing', 'propose admit', 'propose admit nobody', 'propose policy --growth wild']) {
      expect((await ask(`members ${wrong}`)).code, wrong).to.equal(2);
    }

    const id = new Uint8Array(32).fill(0xab);
    const action = { admit: { publicKey: stranger, name: 'joiner' } };
    const proposal = { id, proposer: node.keys.publicKey, action, expiresAt: 10, votes: [] };
    const third = new Uint8Array(32).fill(3);
    const others = [1, 2, 3].map((sequence) => ({ publicKey: new Uint8Array(32).fill(sequence), sequence }));
    node.system = {
      ...node.system,
      validators: [...node.system.validators, ...others],
      proposals: [proposal],
      evicted: [{ publicKey: stranger, height: 5, reason: 'was gone', readmitted: 0 }],
    };
    expect(submitted(await asJson('members vote abab'))?.vote).to.deep.equal({ proposal: id, approve: true });
    expect(submitted(await asJson('members vote ABABAB --reject'))?.vote?.approve).to.equal(false);
    expect((await ask('members vote cdcd')).code).to.equal(2);
    expect((await ask('members vote ab')).code).to.equal(2);
    const human = (await ask('members list')).out;
    expect(human).to.match(/quorum +3 of 4 validators/);
    expect(human).to.match(/abababababab +admit .* "joiner" +0 of 3/);
    expect(human).to.include('was gone');

    // Without evidence by a vote, with it at once; either way it is said what that costs.
    const voted = await ask(`members evict ${toHex(third)} --reason dead --json`);
    expect(voted.err).to.match(/^warning: .* 3 validators are left, of which 0 instead of 1 may be Byzantine\n$/);
    expect(submitted(voted.json[0]!)?.propose?.action.evict?.reason).to.equal('dead');
    const half = (byte: number) => ({ digest: new Uint8Array(32).fill(byte), signature: new Uint8Array(64) });
    const evidence = equivocation({ publicKey: third, type: 'prepare', height: 3, round: 1 }, half(2), half(1));
    expect((await ask('members evidence')).out).to.equal('none\n');
    node.evidence = [{ evidence, seen: 1_700_000_000_000 }];
    expect(submitted(await asJson(`members evict ${toHex(third)}`))?.accuse).to.deep.equal({ evidence });
    const byVote = await asJson(`members evict ${toHex(third)} --by-vote`);
    expect(submitted(byVote)?.propose?.action.evict?.publicKey).to.deep.equal(third);
    const shown = (await asJson('members evidence')) as unknown as Record<string, unknown>[];
    expect(shown[0]).to.include({ type: 'prepare', height: 3, round: 1, publicKey: toHex(third) });
    expect((await ask('members evidence')).out).to.match(/prepare +3 +1 +2023/);
  });

  it('consensus: a stall in one screen', async () => {
    expect(await asJson('consensus')).to.include({ height: 0, leader: null });
    node.found();
    expect(await asJson('consensus')).to.include({ height: 1, round: 0, leader: node.nodeId, quorum: 1, present: 1 });
    const now = Date.now();
    const view = (byte: number, missing: number) => ({
      publicKey: new Uint8Array(32).fill(byte),
      height: 4,
      round: 1,
      seen: 0,
      present: missing === 0,
      missingSince: missing,
    });
    node.consensus = {
      height: 5,
      round: 2,
      leader: node.keys.publicKey,
      quorum: 3,
      validator: true,
      views: [
        { publicKey: node.keys.publicKey, height: 5, round: 2, seen: 0, present: true, missingSince: 0 },
        view(1, 0),
        view(2, now - 7_500_000),
        view(3, now - 90_000),
      ],
      waiting: 'height 5 needs 3 of 4 validators',
      since: now - 100_000,
      working: true,
      complaint: 'this node asks for another leader',
    };
    const json = await asJson('consensus');
    expect(json).to.include({ height: 5, round: 2, validators: 4, quorum: 3, present: 2, tolerated: 1 });
    const { out } = await ask('consensus');
    for (const part of [
      'round 2, open for 1 min 40 s',
      'no quorum: nothing can be decided',
      '3 of 4 validators decide, 2 are present',
      'missing for 2 h 5 min, since ',
      'missing for 1 min 30 s, since ',
      'height 5 needs 3 of 4 validators',
      'asks for another leader',
    ]) {
      expect(out).to.include(part);
    }
    expect(out.split('\n').length).to.be.lessThan(24);
  });

  it('tx send, get, wait, prove', async () => {
    const sent = await asJson('tx send put color blue');
    expect(sent).to.have.keys('id', 'status', 'reason', 'height', 'index', 'result', 'code', 'hint');
    expect(sent).to.include({ status: 'pending', reason: 'no leader yet', height: null, result: null });
    const id = String(sent['id']);
    expect(await asJson(`tx get ${id}`)).to.include({ status: 'pending' });
    const late = await ask(`tx wait ${id} --timeout 50 --json`);
    expect(late.code).to.equal(1);
    expect(JSON.parse(late.err)).to.have.nested.property('error.code', 'ERR_CLI_TIMEOUT');
    node.found();
    const waiting = asJson(`tx wait ${id}`);
    node.commit();
    expect(await waiting).to.deep.include({
      status: 'committed',
      height: 1,
      index: 0,
      result: { code: 0, message: null, output: '' },
    });
    expect(await asJson(`tx prove ${id}`)).to.deep.include({ valid: true, height: 1, signers: [node.nodeId] });
    expect((await ask(`tx get ${id}`)).out).to.match(/status +committed/);
    const unknown = await ask(`tx get ${'0'.repeat(64)} --json`);
    expect(unknown.code).to.equal(4);
    expect(unknown.json[0]).to.include({ status: 'unknown' });
    expect((await ask('tx get nonsense')).code).to.equal(2);
    expect((await ask(`tx prove ${'0'.repeat(64)}`)).code).to.equal(4);
  });

  it('tx send with a key of its own, a file, hex, and a full pool', async () => {
    node.found();
    const key = join(folder, 'key.pem');
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    writeFileSync(key, pem, { mode: 0o600 });
    expect((await ask(`tx send delete a --key ${key} --json`)).code).to.equal(0);
    expect(toHex([...node.pool.values()][0]!.value.sender)).to.not.equal(toHex(node.keys.publicKey));
    writeFileSync(join(folder, 'open.pem'), pem, { mode: 0o644 });
    expect((await ask(`tx send delete a --key ${join(folder, 'open.pem')}`)).code).to.equal(12);
    writeFileSync(join(folder, 'payload'), 'from a file');
    await ask('tx send @payload', { cwd: folder });
    await ask('tx send 0x0102');
    const payloads = [...node.pool.values()].map(({ value }) => Buffer.from(value.application!).toString());
    expect(payloads).to.include.members(['from a file', '\x01\x02']);
    expect((await ask('tx send two words')).code).to.equal(2);
    node.maxPool = 0;
    const full = await ask('tx send x --json');
    expect(full.code).to.equal(5);
    expect(JSON.parse(full.err)).to.have.nested.property('error.code', 'ERR_TXPOOL_FULL');
  });

  it('block get and follow', async () => {
    node.found();
    expect((await ask('block get')).code).to.equal(4);
    const { digest } = node.commit();
    node.commit();
    const block = await asJson('block get 1');
    expect(block).to.deep.include({
      height: 1,
      digest: toHex(digest),
      previous: toHex(node.network),
      proposer: node.nodeId,
      transactions: [],
      certificate: { round: 0, signers: [node.nodeId] },
    });
    expect(await asJson('block get')).to.include({ height: 2 });
    expect(await asJson(`block get ${toHex(digest)}`)).to.include({ height: 1 });
    expect((await ask('block get 1')).out).to.include(toHex(digest));
    expect((await ask('block get 99')).code).to.equal(4);
    expect((await ask('block get x')).code).to.equal(2);
    const followed = await ask('block follow --from 1 --count 2 --json');
    expect(followed.json.map(({ height }) => height)).to.deep.equal([1, 2]);
    const stopped = await ask('block follow --from 1', {
      onOut: (text, signal) => {
        if (text.includes('block 2')) signal('SIGINT');
      },
    });
    expect(stopped.code).to.equal(0);
  });

  it('kv put, get, delete, cas, range', async () => {
    node.found();
    const writing = asJson('kv put color blue --wait');
    while (node.pool.size === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    node.commit();
    expect(await writing).to.include({ status: 'committed', height: 1 });
    const read = await asJson('kv get color');
    expect(read).to.include({ key: 'color', value: 'blue', height: 1 });
    expect(read['stateRoot']).to.match(/^[0-9a-f]{64}$/);
    expect((await ask('kv get color')).out).to.equal('blue\n');
    expect((await asJson('kv range'))['entries']).to.deep.equal([{ key: 'color', value: 'blue' }]);
    expect((await ask('kv range')).out).to.match(/color +blue/);
    await asJson('kv cas shape round');
    await asJson('kv delete color');
    node.commit();
    const gone = await ask('kv get color --json');
    expect(gone.code).to.equal(4);
    expect(gone.json[0]).to.include({ key: 'color', value: null });
    expect((await ask('kv get color')).out).to.equal('');
    await asJson('kv put 00ff ff00 --hex');
    node.commit();
    expect(await asJson('kv get 00ff --hex')).to.include({ value: 'ff00', encoding: 'hex' });
    expect((await ask('kv put xyz 00 --hex')).code).to.equal(2);
    for (const limit of ['0', '1001']) {
      const { code, err } = await ask(`kv range --limit ${limit}`);
      expect(code, limit).to.equal(2);
      expect(err).to.include('1 to 1000');
    }
    // The fake application proves nothing, so a proof of its answers does not hold.
    expect(JSON.parse((await ask('kv get shape --prove --json')).err)).to.have.nested.property(
      'error.code',
      'ERR_CLI_PROOF_INVALID',
    );
  });

  it('events follow', async () => {
    node.found();
    const telling = setInterval(() => node.commit(), 10);
    const followed = await ask('events follow block.committed --json', {
      onOut: (text, signal) => {
        if (text.includes('\n')) signal('SIGTERM');
      },
    });
    clearInterval(telling);
    expect(followed.code).to.equal(0);
    expect(followed.json[0]).to.include({ name: 'block.committed' });
    expect(followed.json[0]!['body']).to.have.property('height');
  });

  it('events follow refuses a name that no event has, instead of waiting for ever', async () => {
    const { code, err } = await ask('events follow block.comitted');
    expect(code).to.equal(2);
    expect(err).to.include('(ERR_API_UNKNOWN_EVENT)').and.include('"block.comitted"');
    expect(err).to.include('transaction.accepted');
  });

  it('chain verify walks store, blocks and certificates, and says what is damaged', async () => {
    node.found();
    await asJson('kv put a b');
    node.commit();
    node.commit();
    expect(await asJson('chain verify')).to.deep.include({ online: true, height: 2, verified: 2, problems: [] });
    const { certified } = node.blocks[1]!;
    const certificate = Uint8Array.from(certified.certificate);
    certificate[certificate.length - 1]! ^= 1;
    (node.blocks as { certified: typeof certified }[])[1] = {
      ...node.blocks[1]!,
      certified: { ...certified, certificate },
    };
    const damaged = await ask('chain verify --json');
    expect(damaged.code).to.equal(10);
    expect(damaged.json[0]).to.include({ verified: 1 });
    expect((damaged.json[0]!['problems'] as string[])[0]).to.include('block 2');
    expect((await ask('chain verify')).out).to.include('damaged: block 2');
  });

  it('finds the node by the config, the running node behind port 0, and the environment', async () => {
    const listen = (text: string) =>
      writeFileSync(
        join(folder, 'it-chain.config.yaml'),
        `node: { name: x, dataDir: ${served.dataDir} }\nplugins:\n  - use: '@it-chain/plugin-gateway'\n    with: { api: { listen: ${text} } }\n`,
      );
    listen(served.address);
    expect((await run(['leader'], { cwd: folder })).code).to.equal(0);
    expect((await run(['leader', '--config', join(folder, 'it-chain.config.yaml')])).code).to.equal(0);
    listen('127.0.0.1:0');
    expect((await run(['leader'], { cwd: folder })).code).to.equal(0);
    listen('127.0.0.1:1');
    expect((await run(['leader'], { cwd: folder })).code).to.equal(3);
    expect((await run(['leader'], { cwd: folder, env: { IT_CHAIN_API: served.address } })).code).to.equal(0);
  });
});
