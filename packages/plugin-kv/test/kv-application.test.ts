import { expect } from 'chai';
import fc from 'fast-check';
import {
  Application,
  KV_CODES,
  SPARSE_EMPTY,
  SparseProof,
  Storage,
  sha256,
  sparseBit,
  sparseLeafHash,
  sparseNodeHash,
  toHex,
  utf8,
  verifySparseProof,
} from '@it-chain/contracts';
import { FakeContext, MemoryStorage } from '@it-chain/testkit';
import kv, { KvConfig } from '@it-chain/plugin-kv';
import { Ledger, compareAndSet, put, remove } from './fixture.js';

/** The root by definition: split all leaves by bits, without pages and without history. */
function rootOf(state: ReadonlyMap<string, string>): Uint8Array {
  const leaves = [...state].map(([key, value]) => ({ key: sha256(utf8(key)), value: sha256(utf8(value)) }));
  const fold = (some: typeof leaves, depth: number): Uint8Array => {
    const [only] = some;
    if (only === undefined) return SPARSE_EMPTY;
    if (some.length === 1) return sparseLeafHash(only.key, only.value);
    const side = (bit: number) => some.filter(({ key }) => sparseBit(key, depth) === bit);
    return sparseNodeHash(fold(side(0), depth + 1), fold(side(1), depth + 1));
  };
  return fold(leaves, 0);
}

const name = fc.integer({ min: 0, max: 60 }).map((number) => `k${number}`);
const value = fc.integer({ min: 0, max: 3 }).map((number) => `v${number}`);
/** An operation of the model and its effect on a Map. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), key: name, value }),
  fc.record({ kind: fc.constant('delete' as const), key: name }),
  fc.record({ kind: fc.constant('set' as const), key: name, expected: fc.option(value), value: fc.option(value) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function payloadOf(one: Step): Uint8Array {
  if (one.kind === 'put') return put(utf8(one.key), utf8(one.value));
  if (one.kind === 'delete') return remove(utf8(one.key));
  const expected = one.expected === null ? undefined : utf8(one.expected);
  return compareAndSet(utf8(one.key), expected, one.value === null ? undefined : utf8(one.value));
}

function applyTo(state: Map<string, string>, one: Step): number {
  if (one.kind === 'set' && (state.get(one.key) ?? null) !== one.expected) return KV_CODES.conflict;
  if (one.kind === 'delete' || one.value === null) state.delete(one.key);
  else state.set(one.key, one.value);
  return KV_CODES.done;
}

describe('KvApplication', () => {
  it('keeps the state of a Map, with the root by definition, however the sequence is cut into blocks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 30 }), async (steps, size) => {
        const state = new Map<string, string>();
        const expected = steps.map((one) => applyTo(state, one));
        const roots = new Set<string>();
        for (const blockSize of [size, 1, Math.max(1, steps.length)]) {
          // A small cache drops pages all the time.
          const ledger = new Ledger(blockSize === 1 ? 64 : 4_096);
          const codes: number[] = [];
          for (let from = 0; from < steps.length; from += blockSize) {
            const { receipts } = await ledger.commit(steps.slice(from, from + blockSize).map(payloadOf));
            codes.push(...receipts.map((receipt) => receipt.code));
          }
          expect(codes).to.deep.equal(expected);
          roots.add(toHex(ledger.root));
          expect(await ledger.range({ limit: 1_000 })).to.deep.equal([...state.keys()].sort());
          for (const key of ['k0', 'k1', 'k2', 'k60', 'never']) {
            const answer = await ledger.get(utf8(key));
            const found = answer.found ? Buffer.from(answer.data).toString() : undefined;
            expect(found).to.equal(state.get(key));
            const proven = answer.found ? answer.data : undefined;
            expect(verifySparseProof(ledger.root, utf8(key), proven, answer.proof)).to.equal(true);
          }
        }
        expect([...roots]).to.deep.equal([toHex(rootOf(state))]);
      }),
      { numRuns: 40 },
    );
  });

  it('leaves nothing behind: after everything was deleted only the mark of the empty root is stored', async () => {
    const ledger = new Ledger();
    const keys = Array.from({ length: 500 }, (_, index) => utf8(`key/${index}`));
    await ledger.commit(keys.map((key) => put(key, key)));
    const full = await ledger.storage.verify();
    for (const key of keys.slice(0, 100)) await ledger.commit([put(key, utf8('again')), remove(utf8('none'))]);
    expect((await ledger.storage.verify()).entries).to.equal(full.entries);
    await ledger.commit(keys.slice(0, 250).map(remove));
    await ledger.commit(keys.slice(250).map(remove));
    expect(toHex(ledger.root)).to.equal(toHex(SPARSE_EMPTY));
    expect((await ledger.storage.verify()).entries).to.equal(1);
    await ledger.commit(keys.map((key) => put(key, key)));
    expect((await ledger.storage.verify()).entries).to.equal(full.entries);
  });

  it('refuses proofs for another key, value, root or with any bit changed', async () => {
    const ledger = new Ledger();
    await ledger.commit(Array.from({ length: 300 }, (_, index) => put(utf8(`k${index}`), utf8(`v${index}`))));
    for (const [key, present] of [
      [utf8('k7'), utf8('v7')],
      [utf8('absent'), undefined],
    ] as const) {
      const { proof } = await ledger.get(key);
      expect(verifySparseProof(ledger.root, key, present, proof)).to.equal(true);
      expect(verifySparseProof(ledger.root, key, utf8('other'), proof)).to.equal(false);
      expect(verifySparseProof(ledger.root, utf8('k8'), present, proof)).to.equal(false);
      expect(verifySparseProof(SPARSE_EMPTY, key, present, proof)).to.equal(false);
      if (present !== undefined) expect(verifySparseProof(ledger.root, key, undefined, proof)).to.equal(false);
      for (let bit = 0; bit < proof.length * 8; bit += 1) {
        const tampered = Uint8Array.from(proof);
        tampered[bit >> 3] = (tampered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(verifySparseProof(ledger.root, key, present, tampered)).to.equal(false);
      }
    }
  });

  it('does not take another leaf of the tree for a proof of absence', async () => {
    const ledger = new Ledger();
    await ledger.commit(Array.from({ length: 50 }, (_, index) => put(utf8(`k${index}`), utf8('v'))));
    const { proof } = await ledger.get(utf8('k1'));
    const { siblings } = SparseProof.decode(proof);
    const other = { otherKey: sha256(utf8('k1')), otherValue: sha256(utf8('v')) };
    // The true path of k1, offered as the end of the path of k2, which is in the tree.
    expect(verifySparseProof(ledger.root, utf8('k2'), undefined, SparseProof.encode({ siblings, ...other }))).to.equal(
      false,
    );
    expect(verifySparseProof(ledger.root, utf8('k1'), undefined, SparseProof.encode({ siblings, ...other }))).to.equal(
      false,
    );
  });

  it('answers ERR_KV_STALE_ROOT at a root that was replaced, or is replaced while it reads', async () => {
    const ledger = new Ledger();
    await ledger.commit([put(utf8('a'), utf8('1'))]);
    const old = ledger.root;
    await ledger.commit([put(utf8('a'), utf8('2'))]);
    const codeOf = (call: Promise<unknown>) =>
      call.then(
        () => 'answered',
        (error: unknown) => (error as { code: string }).code,
      );
    expect(await codeOf(ledger.get(utf8('a'), old))).to.equal('ERR_KV_STALE_ROOT');
    // The block is committed between the first and the last read of the query.
    const read = ledger.storage.read.bind(ledger.storage);
    let reads = 0;
    const root = ledger.root;
    ledger.storage.read = async (request) => {
      reads += 1;
      if (reads === 2) {
        ledger.storage.read = read;
        await ledger.commit([put(utf8('a'), utf8('3'))]);
      }
      return read(request);
    };
    expect(await codeOf(ledger.get(utf8('a'), root))).to.equal('ERR_KV_STALE_ROOT');
    expect(Buffer.from((await ledger.get(utf8('a'))).data).toString()).to.equal('3');
  });

  it('goes on from the block that is committed, whichever of several dry runs it was', async () => {
    const ledger = new Ledger();
    const twin = new Ledger();
    const base = Array.from({ length: 200 }, (_, index) => put(utf8(`k${index}`), utf8('v')));
    for (const one of [ledger, twin]) await one.commit(base);
    for (let height = 0; height < 10; height += 1) {
      const block = [put(utf8(`k${height}`), utf8(`h${height}`)), remove(utf8(`k${height + 50}`))];
      await ledger.execute([put(utf8(`k${height}`), utf8('not committed'))]);
      await ledger.execute(block);
      await ledger.execute([remove(utf8(`k${height + 1}`))]);
      await ledger.commit(block);
      await twin.commit(block);
      expect(toHex(ledger.root)).to.equal(toHex(twin.root));
    }
  });

  it('answers ranges in both directions with limits and prefixes', async () => {
    const ledger = new Ledger();
    await ledger.commit(['b', 'a', 'c/1', 'c/2', 'd'].map((key) => put(utf8(key), utf8('v'))));
    expect(await ledger.range({})).to.deep.equal(['a', 'b', 'c/1', 'c/2', 'd']);
    expect(await ledger.range({ reverse: true, limit: 2 })).to.deep.equal(['d', 'c/2']);
    expect(await ledger.range({ from: utf8('c/'), to: utf8('c0') })).to.deep.equal(['c/1', 'c/2']);
    const unknown = { data: new Uint8Array([1]), prove: false, root: ledger.root };
    expect((await ledger.application.query({ path: 'nothing', ...unknown })).code).to.equal(KV_CODES.malformed);
    expect((await ledger.application.query({ path: 'range', ...unknown })).code).to.equal(KV_CODES.malformed);
  });

  it('keeps no more pages than its limit', async () => {
    const ledger = new Ledger(64);
    await ledger.commit(Array.from({ length: 3_000 }, (_, index) => put(utf8(`k${index}`), utf8('v'))));
    for (let round = 0; round < 3; round += 1) {
      await ledger.commit(Array.from({ length: 300 }, (_, index) => put(utf8(`k${index}`), utf8(`${round}`))));
    }
    expect(ledger.application.cachedPages).to.be.within(1, 64);
  });

  it('is served by the plugin', async () => {
    const storage = new MemoryStorage();
    const context = new FakeContext({ config: KvConfig.parse(undefined) });
    context.provide(Storage, storage);
    await (await context.setup(kv)).start();
    expect(await context.servedRole(Application).info({})).to.deep.equal({ name: 'kv/1', emptyRoot: SPARSE_EMPTY });
    expect(KvConfig.safeParse({ cachePage: 1 }).success).to.equal(false);
  });
});
