import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressInfo } from 'node:net';
import {
  Certificate,
  KvOperation,
  decodeTransaction,
  hasCode,
  isItChainError,
  keyPairFromSeed,
  sha256,
  toHex,
  utf8,
} from '@it-chain/contracts';
import {
  type Client,
  blockJson,
  createClient,
  kvValueJson,
  peerJson,
  statusJson,
  transactionJson,
  validatorsJson,
  verifyTransactionProof,
} from '@it-chain/client';
import { FakeNode } from '@it-chain/testkit';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { expect } from 'chai';
import { serveNode, type ServedNode } from './serve-node.js';

const alice = keyPairFromSeed(sha256(utf8('alice')));
const payload = (key: string, value = 'v') => KvOperation.encode({ put: { key: utf8(key), value: utf8(value) } });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  return isItChainError(error) ? error.code : `not a coded error: ${String(error)}`;
}

/** A certificate of its own for localhost. */
async function certificate(): Promise<{ cert: string; key: string; dir: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-tls-'));
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  });
  writeFileSync(cert, `${made.toString('pem')}\n`);
  writeFileSync(key, KeyObject.from(keys.privateKey).export({ format: 'pem', type: 'pkcs8' }));
  return { cert, key, dir };
}

describe('client', () => {
  let node: FakeNode;
  let served: ServedNode;
  let client: Client;
  beforeEach(async () => {
    node = new FakeNode();
    node.found();
    served = await serveNode(node);
    client = createClient({ address: served.address });
  });
  afterEach(async () => {
    client.close();
    await served.close();
  });

  it('signs for the network, sends, waits and proves', async () => {
    const sent = await client.send(payload('a'), alice);
    expect(sent.status).to.equal('pending');
    const waiting = client.waitForTransaction(sent.id);
    node.commit();
    const done = await waiting;
    expect(done).to.include({ status: 'committed', height: 1, index: 0 });
    const proof = await client.proveTransaction(sent.id);
    const proven = verifyTransactionProof(proof, { network: node.network });
    expect(proven).to.include({ height: 1, index: 0 });
    expect(proven.signers).to.deep.equal([node.nodeId]);
  });

  it('refuses a proof in which anything was changed', async () => {
    const { id } = await client.send(payload('a'), alice);
    await client.send(payload('b'), alice);
    node.commit();
    const proof = await client.proveTransaction(id);
    const trust = { network: node.network };
    const stranger = keyPairFromSeed(sha256(utf8('stranger')));
    const wrong = [
      { ...proof, index: 1 - proof.index },
      { ...proof, path: [] },
      { ...proof, certificate: { ...proof.certificate, seals: [] } },
      { ...proof, certificate: { ...proof.certificate, round: 1 } },
      { ...proof, validators: { validators: [{ publicKey: stranger.publicKey, sequence: 0 }] } },
    ];
    for (const one of wrong) {
      expect(() => verifyTransactionProof(one, trust))
        .to.throw()
        .with.property('code', 'ERR_CLI_PROOF_INVALID');
    }
    expect(() => verifyTransactionProof(proof, { network: sha256(utf8('other')) })).to.throw(/network/);
  });

  it('names a timeout and the last reason', async () => {
    const { id } = await client.send(payload('a'), alice);
    const error = await client.waitForTransaction(id, { timeoutMs: 50 }).catch((cause: unknown) => cause);
    expect(hasCode(error, 'ERR_CLI_TIMEOUT')).to.equal(true);
    expect((error as Error).message).to.include('pending');
  });

  it('waits for a transaction over a restart of the node', async () => {
    const { id } = await client.send(payload('a'), alice);
    let seen: () => void = () => undefined;
    const pending = new Promise<void>((resolve) => (seen = resolve));
    const waiting = client.waitForTransaction(id, { timeoutMs: 60_000, onChange: () => seen() });
    await pending;
    const { address } = served;
    await served.close();
    node.commit();
    served = await serveNode(node, address);
    expect((await waiting).status).to.equal('committed');
  });

  it('gathers single transactions into batches', async () => {
    const signed = await Promise.all(
      Array.from({ length: 25 }, (_, index) => client.sign(payload(`k${index}`), alice)),
    );
    const batches: number[] = [];
    const submit = client.submit.bind(client);
    client.submit = (transactions, options) => {
      batches.push(transactions.length);
      return submit(transactions, options);
    };
    const batcher = client.batcher({ maxBatch: 10, maxDelayMs: 1 });
    const results = await Promise.all(signed.map(({ encoded }) => batcher.add(encoded)));
    expect(results.map(({ id }) => toHex(id))).to.deep.equal(signed.map(({ id }) => toHex(id)));
    expect(batches).to.deep.equal([10, 10, 5]);
  });

  it('streams batches in order and takes no more than the window ahead', async () => {
    let taken = 0;
    const batches = (async function* () {
      for (let batch = 0; batch < 20; batch += 1) {
        taken += 1;
        yield [(await client.sign(payload(`s${batch}`), alice)).encoded];
      }
    })();
    let answered = 0;
    for await (const results of client.submitStream(batches, { window: 2 })) {
      answered += 1;
      expect(results[0]!.status).to.equal('pending');
      expect(taken - answered).to.be.lessThan(4);
    }
    expect(answered).to.equal(20);
    expect(node.pool.size).to.equal(20);
  });

  it('gives the error of the source of a stream', async () => {
    const failing = (async function* () {
      yield [(await client.sign(payload('x'), alice)).encoded];
      throw new Error('the source broke');
    })();
    const read = async () => {
      for await (const results of client.submitStream(failing)) expect(results).to.have.length(1);
    };
    const error = await read().then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect((error as Error | undefined)?.message).to.equal('the source broke');
  });

  it('follows blocks over a restart of the node, without a gap', async () => {
    node.commit();
    const heights: number[] = [];
    const stop = new AbortController();
    let second: () => void = () => undefined;
    const twoRead = new Promise<void>((resolve) => (second = resolve));
    const following = (async () => {
      for await (const { height } of client.followBlocks(1, { signal: stop.signal, pauseMs: 5 })) {
        heights.push(height);
        if (height === 2) second();
        if (height === 4) stop.abort();
      }
    })();
    node.commit();
    await twoRead;
    const { address } = served;
    await served.close();
    node.commit();
    node.commit();
    served = await serveNode(node, address);
    await following;
    expect(heights).to.deep.equal([1, 2, 3, 4]);
  });

  it('knows the key-value application', async () => {
    await client.kv.put('a', '1', { keys: alice });
    await client.kv.put('b', '2');
    node.commit();
    expect(kvValueJson(await client.kv.get('a'))).to.include({ key: 'a', value: '1', height: 1 });
    expect((await client.kv.get('none')).value).to.equal(undefined);
    const { entries, more } = await client.kv.range({ limit: 1 });
    expect([entries.length, more]).to.deep.equal([1, true]);
    await client.kv.delete('a');
    await client.kv.compareAndSet('c', undefined, 'new');
    node.commit();
    expect((await client.kv.get('a')).value).to.equal(undefined);
    expect(kvValueJson(await client.kv.get('c')).value).to.equal('new');
  });

  it('shows everything in the shapes that scripts read', async () => {
    const { id } = await client.send(payload('a'), alice);
    node.commit();
    expect(statusJson(await client.status())).to.include({ role: 'validator', height: 1, candidate: null });
    expect(peerJson((await client.peers())[0]!)).to.include({ self: true, connected: true, role: 'validator' });
    const validators = await client.validators(1);
    expect(validatorsJson(validators)).to.deep.include({ height: 1, validators: [node.nodeId], quorum: 1 });
    const block = await client.block();
    expect(Certificate.decode(block.certified.certificate).seals).to.have.length(1);
    expect(blockJson(block, validators.validators)).to.deep.include({
      height: 1,
      previous: toHex(node.network),
      proposer: node.nodeId,
      transactions: [toHex(id)],
      certificate: { round: 0, signers: [node.nodeId] },
    });
    expect(transactionJson(await client.transaction(id))).to.deep.include({
      status: 'committed',
      height: 1,
      index: 0,
      result: { code: 0, message: null, output: '' },
    });
    expect((await client.blocks(1)).map(({ height }) => height)).to.deep.equal([1]);
    expect(await client.metrics()).to.equal('up 1\n');
    expect((await client.verifyStore()).problems).to.deep.equal([]);
  });

  it('gives codes and hints of the node', async () => {
    const error = await client.dial('127.0.0.1:1').catch((cause: unknown) => cause);
    expect(error).to.include({ code: 'ERR_PEER_UNREACHABLE' });
    expect((error as { hint: string }).hint).to.match(/address/);
    expect(await codeOf(client.block(77))).to.equal('ERR_BLOCK_NOT_FOUND');
    expect(await codeOf(client.disconnect('nobody'))).to.equal('ERR_PEER_NOT_CONNECTED');
    node.maxPool = 0;
    expect(await codeOf(client.send(payload('full'), alice))).to.equal('ERR_TXPOOL_FULL');
  });

  it('says which address does not answer, or is not a node', async () => {
    const nobody = createClient({ address: '127.0.0.1:1' });
    const error = await nobody.status().catch((cause: unknown) => cause);
    expect(hasCode(error, 'ERR_CLI_CANNOT_CONNECT')).to.equal(true);
    expect((error as Error).message).to.include('127.0.0.1:1');
    expect(await codeOf(nobody.followBlocks(1).next())).to.equal('ERR_CLI_CANNOT_CONNECT');
    nobody.close();
    const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const other = createClient({ address: `127.0.0.1:${(web.address() as AddressInfo).port}` });
    expect(await codeOf(other.status({ timeoutMs: 2_000 }))).to.be.oneOf(['ERR_CLI_CANNOT_CONNECT', 'ERR_CLI_TIMEOUT']);
    other.close();
    web.close();
  });

  it('speaks TLS, and refuses a certificate that it was not told to trust', async () => {
    const { cert, key, dir } = await certificate();
    const secure = await serveNode(node, '127.0.0.1:0', { tls: { cert, key } });
    const trusting = createClient({ address: secure.address, tls: { ca: cert, serverName: 'localhost' } });
    expect((await trusting.status()).nodeId).to.equal(node.nodeId);
    trusting.close();
    for (const tls of [{ serverName: 'localhost' }, { ca: cert, serverName: 'elsewhere' }, undefined]) {
      const other = createClient({ address: secure.address, tls });
      expect(await codeOf(other.status({ timeoutMs: 3_000 }))).to.be.oneOf([
        'ERR_CLI_CANNOT_CONNECT',
        'ERR_CLI_TIMEOUT',
      ]);
      other.close();
    }
    await secure.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('can be given up', async () => {
    const stop = new AbortController();
    const events = client.followEvents([], { signal: stop.signal });
    const ended = events.next();
    stop.abort();
    expect((await ended).done).to.equal(true);
  });

  it('signs what decodes to what was meant', async () => {
    const { encoded, id } = await client.sign(payload('a'), alice, 50);
    const read = decodeTransaction(encoded);
    expect(read.value.expiresAt).to.equal(50);
    expect(toHex(read.id)).to.equal(toHex(id));
  });
});
