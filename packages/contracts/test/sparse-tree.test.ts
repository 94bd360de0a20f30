import { expect } from 'chai';
import fc from 'fast-check';
import { SPARSE_EMPTY, SparseTree, toHex, utf8, verifySparseProof } from '@it-chain/contracts';

/** Few keys, so that they are overwritten and deleted often. */
const change = fc.record({
  key: fc.uint8Array({ maxLength: 1 }),
  value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined }),
});
type Changes = readonly { readonly key: Uint8Array; readonly value: Uint8Array | undefined }[];

const build = (changes: Changes): SparseTree =>
  changes.reduce((tree, { key, value }) => tree.with(key, value), SparseTree.EMPTY);
const textOf = (entries: Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>): string[] =>
  [...entries].map(({ key, value }) => `${toHex(key)}=${toHex(value)}`).sort();

describe('SparseTree', () => {
  it('has the roots of the golden vectors', () => {
    expect(SparseTree.EMPTY.root).to.equal(SPARSE_EMPTY);
    const tree = SparseTree.EMPTY.with(utf8('a'), utf8('1')).with(utf8('b'), utf8('2'));
    expect(toHex(tree.root)).to.equal('03dea20d75b7a7e21db347611046ff120c81afb3a8afc0b36edd57cce931a10d');
  });

  it('holds what a map holds, and its root depends on nothing else', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const map = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>();
        for (const { key, value } of changes) {
          if (value === undefined) map.delete(toHex(key));
          else map.set(toHex(key), { key, value });
        }
        const tree = build(changes);
        expect(textOf(tree.entries())).to.deep.equal(textOf(map.values()));
        const straight = build([...map.values()].reverse());
        expect(toHex(tree.root)).to.equal(toHex(straight.root));
        for (const { key } of changes) {
          const value = tree.get(key);
          expect(value === undefined ? undefined : toHex(value)).to.equal(
            map.has(toHex(key)) ? toHex(map.get(toHex(key))?.value ?? new Uint8Array(9)) : undefined,
          );
        }
      }),
    );
  });

  it('proves every key, present or absent, and proves nothing else', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.uint8Array({ maxLength: 2 }), (changes, asked) => {
        const tree = build(changes);
        for (const key of [asked, ...changes.map((one) => one.key)]) {
          const proof = tree.prove(key);
          const value = tree.get(key);
          expect(verifySparseProof(tree.root, key, value, proof)).to.equal(true);
          expect(verifySparseProof(tree.root, key, utf8('another'), proof)).to.equal(false);
          if (value !== undefined) expect(verifySparseProof(tree.root, key, undefined, proof)).to.equal(false);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('leaves the tree that it was made from as it was, and keeps none of the bytes of its caller', () => {
    const value = utf8('before');
    const first = SparseTree.EMPTY.with(utf8('k'), value);
    const root = toHex(first.root);
    first.with(utf8('k'), utf8('after')).with(utf8('l'), utf8('x'));
    value.fill(0);
    expect(toHex(first.root)).to.equal(root);
    expect(Buffer.from(first.get(utf8('k')) ?? []).toString()).to.equal('before');
    expect(toHex(first.with(utf8('absent'), undefined).root)).to.equal(root);
  });
});
