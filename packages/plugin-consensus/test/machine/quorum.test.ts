import { expect } from 'chai';
import { faultTolerance, quorumOf } from '@it-chain/contracts';
import { membersOf } from '@it-chain/plugin-consensus';
import { setOf } from '../support/fixtures.js';

/** n, q, f of docs/spec/consensus.md. */
const TABLE = [
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
  [16, 11, 5],
  [19, 13, 6],
  [22, 15, 7],
  [25, 17, 8],
  [28, 19, 9],
  [30, 20, 9],
] as const;

describe('quorum', () => {
  for (const [n, q, f] of TABLE) {
    it(`of ${n} validators ${q} decide and ${f} may lie`, () => {
      const members = membersOf(setOf(n));
      expect([members.n, members.q, members.f]).to.deep.equal([n, q, f]);
    });
  }

  for (let n = 1; n <= 100; n += 1) {
    it(`n=${n}: two quorums share an honest validator, and the honest ones make a quorum`, () => {
      const q = quorumOf(n);
      const f = faultTolerance(n);
      expect(q).to.equal(Math.ceil((2 * n) / 3));
      expect(2 * q - n).to.be.at.least(f + 1);
      expect(n - f).to.be.at.least(q);
    });
  }
});
