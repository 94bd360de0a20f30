import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Genesis,
  GENESIS_DEFAULTS,
  decodeTransaction,
  faultTolerance,
  genesisSystemState,
  hasCode,
  headerDigest,
  isNodeId,
  keyPairFromSeed,
  leaderOf,
  merklePath,
  merkleRoot,
  networkOf,
  nodeIdOf,
  quorumOf,
  sha256,
  signTransaction,
  systemRootOf,
  toHex,
  transactionSigningBytes,
  utf8,
  verifyMerklePath,
  verifySignature,
  BlockHeader,
  SystemState,
} from '@it-chain/contracts';

const keys = keyPairFromSeed(sha256(utf8('golden')));
const genesis: Genesis = {
  ...GENESIS_DEFAULTS,
  nonce: sha256(utf8('nonce')),
  founder: keys.publicKey,
  validators: [keys.publicKey],
  admission: 'open',
  application: 'kv/1',
  time: 1_700_000_000_000,
};

describe('golden vectors: these bytes never change', () => {
  it('node id', () => {
    expect(nodeIdOf(keys.publicKey)).to.equal('44NWfD7XHCZbFZujynSJjTZTBwLtSiURb61vP6Kq8pJL');
    expect(isNodeId(nodeIdOf(keys.publicKey))).to.equal(true);
    expect(isNodeId('0OIl')).to.equal(false);
  });

  it('genesis and network', () => {
    expect(toHex(networkOf(genesis))).to.equal('de5056c292b9af9d7a225e119fe7cb78eb7df5dfcc5b6cac4305d2e9486b8f6e');
  });

  it('system root, of a genesis and with everything that can be in it', () => {
    const start = genesisSystemState(genesis);
    expect(toHex(systemRootOf(start))).to.equal('a4bcb93157bb9f1340549c854228e252af48e7e357d0ae4d18af8a0f4e3ed740');
    const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
    const proposal = {
      id: key(3),
      proposer: keys.publicKey,
      action: { evict: { publicKey: key(4), reason: 'gone' } },
      expiresAt: 9,
      votes: [{ sequence: 0, approve: true }],
    };
    const full: SystemState = {
      ...start,
      learners: [{ publicKey: key(1), name: 'bob', sequence: 1 }],
      nextSequence: 2,
      policy: { admission: 'vote', allowlist: [key(2)], growth: 'immediate' },
      proposals: [proposal],
      evicted: [{ publicKey: key(5), height: 7, reason: 'r', readmitted: 8 }],
    };
    expect(toHex(systemRootOf(full))).to.equal('6c3d472701382628ac2151cb04a2f1f11f177d4c3f144dfbfbd4ddbaaa23fd9a');
    expect(SystemState.decodeCanonical(SystemState.encode(full))).to.deep.equal(full);
  });

  it('transaction, its id and its signature', () => {
    const encoded = signTransaction(
      { network: networkOf(genesis), nonce: utf8('12345678'), expiresAt: 1_000, application: utf8('payload') },
      keys,
    );
    expect(toHex(sha256(encoded))).to.equal('7851c916fc1772e6a14ba113366828f5f7443ee0a1238b654a661470a0e4000a');
    const { id, value } = decodeTransaction(encoded);
    expect(toHex(id)).to.equal('ada2914115acdf10b598b7f5c86db69a4c79309aa960942fc6f40f83262e1c38');
    expect(verifySignature(value.sender, transactionSigningBytes(encoded, value.network), value.signature)).to.equal(
      true,
    );
  });

  it('header digest', () => {
    const header: BlockHeader = {
      version: 1,
      network: networkOf(genesis),
      height: 1,
      previous: networkOf(genesis),
      proposer: keys.publicKey,
      proposerSequence: 0,
      time: 1_700_000_000_001,
      transactionRoot: merkleRoot([]),
      transactionCount: 0,
      previousStateRoot: sha256(utf8('state')),
      validators: sha256(utf8('v')),
      nextValidators: sha256(utf8('v')),
    };
    expect(toHex(headerDigest(BlockHeader.encode(header), header.network))).to.equal(
      '495675b0321a14cea5d9c2dfbbce165ce5407b5cb327a2a1bfad434ae14efb25',
    );
  });

  it('merkle roots agree with RFC 6962', () => {
    const leaf = (n: number): Uint8Array => new Uint8Array([n]);
    expect(toHex(merkleRoot([]))).to.equal('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(toHex(merkleRoot([leaf(0)]))).to.equal(toHex(sha256(new Uint8Array([0, 0]))));
    const split = (leaves: Uint8Array[]): Uint8Array => {
      if (leaves.length === 1) return sha256(Buffer.concat([leaf(0), leaves[0]!]));
      let k = 1;
      while (k * 2 < leaves.length) k *= 2;
      return sha256(Buffer.concat([leaf(1), split(leaves.slice(0, k)), split(leaves.slice(k))]));
    };
    for (let n = 1; n < 40; n += 1) {
      const leaves = Array.from({ length: n }, (_, index) => leaf(index));
      expect(toHex(merkleRoot(leaves))).to.equal(toHex(split(leaves)));
    }
  });
});

describe('transactions', () => {
  const encoded = signTransaction(
    { network: networkOf(genesis), nonce: utf8('12345678'), expiresAt: 9, application: utf8('x') },
    keys,
  );

  it('refuse every change of their bytes or get another id', () => {
    const { id } = decodeTransaction(encoded);
    for (let at = 0; at < encoded.length; at += 1) {
      const changed = Uint8Array.from(encoded);
      changed[at] = (changed[at] ?? 0) ^ 1;
      try {
        const other = decodeTransaction(changed);
        const valid = verifySignature(
          other.value.sender,
          transactionSigningBytes(changed, other.value.network),
          other.value.signature,
        );
        expect(valid).to.equal(false);
        if (at < encoded.length - 66) expect(toHex(other.id)).not.to.equal(toHex(id));
      } catch (error) {
        expect(hasCode(error, 'ERR_TX_MALFORMED'), String(error)).to.equal(true);
      }
    }
  });
});

describe('merkle paths', () => {
  it('lead to the root for their leaf and index only', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (count, a, b) => {
        const leaves = Array.from({ length: count }, (_, index) => utf8(`leaf ${index}`));
        const index = a % count;
        const other = b % count;
        const root = merkleRoot(leaves);
        const path = merklePath(leaves, index);
        expect(verifyMerklePath(leaves[index]!, index, count, path, root)).to.equal(true);
        expect(verifyMerklePath(leaves[other]!, index, count, path, root)).to.equal(other === index);
        expect(verifyMerklePath(leaves[index]!, other, count, path, root)).to.equal(other === index);
        expect(verifyMerklePath(leaves[index]!, index, count, path.slice(1), root)).to.equal(path.length === 0);
        expect(verifyMerklePath(leaves[index]!, index, count, [...path, root], root)).to.equal(false);
      }),
    );
  });
});

describe('validator sets', () => {
  it('have the quorums of the consensus document', () => {
    const table = [
      [1, 1, 0],
      [2, 2, 0],
      [3, 2, 0],
      [4, 3, 1],
      [5, 4, 1],
      [6, 4, 1],
      [7, 5, 2],
      [8, 6, 2],
      [9, 6, 2],
      [10, 7, 3],
      [13, 9, 4],
      [30, 20, 9],
    ] as const;
    for (const [n, q, f] of table) expect([quorumOf(n), faultTolerance(n)]).to.deep.equal([q, f]);
  });

  it('let two quorums share an honest validator, and honest validators make a quorum', () => {
    for (let n = 1; n <= 1_000; n += 1) {
      const q = quorumOf(n);
      const f = faultTolerance(n);
      expect(2 * q - n).to.be.at.least(f + 1);
      expect(n - f).to.be.at.least(q);
      expect(q).to.equal(Math.ceil((2 * n) / 3));
    }
  });

  it('keep the proposer as leader, move on by rounds and terms, and find a successor', () => {
    const member = (n: number) => ({ publicKey: sha256(utf8(String(n))), sequence: n });
    const set = { validators: [member(0), member(2), member(5), member(7)] };
    expect(leaderOf(set, 9, 0, member(5), 0)).to.equal(2);
    expect(leaderOf(set, 9, 3, member(5), 0)).to.equal(1);
    expect(leaderOf(set, 10, 0, member(5), 5)).to.equal(3);
    expect(leaderOf(set, 9, 0, member(3), 0)).to.equal(2);
    expect(leaderOf(set, 9, 0, member(8), 0)).to.equal(0);
  });
});
