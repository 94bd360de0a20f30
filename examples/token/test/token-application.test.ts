import { expect } from 'chai';
import fc from 'fast-check';
import { toHex } from '@it-chain/contracts';
import { MAX_SUPPLY, TOKEN_CODES } from '@it-chain/example-token';
import { Ledger, account, mint, owner, transfer, type Sent } from './fixture.js';

const [alice, bob] = [account('alice'), account('bob')];
const everybody = [owner, alice, bob];
const codesOf = ({ receipts }: { readonly receipts: readonly { readonly code: number }[] }): number[] =>
  receipts.map(({ code }) => code);

/** Anything that anybody may send: more than they have, to themselves, in the owner's place, and bytes that are nothing. */
const anyone = fc.constantFrom(...everybody);
const amount = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.constant(MAX_SUPPLY));
const sent: fc.Arbitrary<Sent> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ sender: anyone, payload: fc.tuple(anyone, amount).map(([to, n]) => transfer(to, n)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ sender: anyone, payload: fc.tuple(anyone, amount).map(([to, n]) => mint(to, n)) }),
  },
  { weight: 1, arbitrary: fc.record({ sender: anyone, payload: fc.uint8Array({ maxLength: 60 }) }) },
);
const blocks = fc.array(fc.array(sent, { maxLength: 12 }), { maxLength: 5 });

describe('TokenApplication', () => {
  it('moves what is there, and refuses what is not', async () => {
    const ledger = await Ledger.make();
    const answer = await ledger.commit([
      { sender: owner, payload: mint(alice, 10) },
      { sender: alice, payload: transfer(bob, 4) },
      { sender: alice, payload: transfer(bob, 7) },
      { sender: alice, payload: mint(alice, 1) },
      { sender: owner, payload: mint(alice, MAX_SUPPLY) },
      { sender: alice, payload: transfer(bob, 0) },
    ]);
    const { done, insufficient, notOwner, tooMuch, malformed } = TOKEN_CODES;
    expect(codesOf(answer)).to.deep.equal([done, done, insufficient, notOwner, tooMuch, malformed]);
    expect([await ledger.balance(alice), await ledger.balance(bob)]).to.deep.equal([6, 4]);
  });

  it('a transfer to oneself changes nothing, and needs the balance all the same', async () => {
    const ledger = await Ledger.make();
    await ledger.commit([{ sender: owner, payload: mint(alice, 10) }]);
    const before = toHex(ledger.root);
    const answer = await ledger.commit([
      { sender: alice, payload: transfer(alice, 10) },
      { sender: alice, payload: transfer(alice, 11) },
    ]);
    expect(codesOf(answer)).to.deep.equal([TOKEN_CODES.done, TOKEN_CODES.insufficient]);
    expect(toHex(ledger.root)).to.equal(before);
    expect(answer.writes).to.deep.equal([]);
  });

  it('an account that is emptied leaves nothing behind', async () => {
    const ledger = await Ledger.make();
    await ledger.commit([{ sender: owner, payload: mint(alice, 10) }]);
    await ledger.commit([{ sender: alice, payload: transfer(bob, 10) }]);
    const straight = await Ledger.make();
    await straight.commit([{ sender: owner, payload: mint(bob, 10) }]);
    expect(toHex(ledger.root)).to.equal(toHex(straight.root));
  });

  it('conserves the supply: whatever is sent, the balances add up to what the owner made, and none is negative', async () => {
    await fc.assert(
      fc.asyncProperty(blocks, async (chain) => {
        const ledger = await Ledger.make();
        let made = 0;
        for (const block of chain) {
          const { receipts } = await ledger.commit(block);
          block.forEach(({ sender, payload }, index) => {
            if (receipts[index]?.code !== 0 || payload[0] !== 0x12) return;
            // Field 2 is a mint, and only the owner's can have been done.
            expect(toHex(sender)).to.equal(toHex(owner));
            made += amountIn(payload);
          });
          const balances = await Promise.all(everybody.map((one) => ledger.balance(one)));
          expect(balances.every((balance) => Number.isSafeInteger(balance) && balance >= 0)).to.equal(true);
          expect(balances.reduce((sum, balance) => sum + balance, 0)).to.equal(await ledger.supply());
          expect(await ledger.supply()).to.equal(made);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('is deterministic: two ledgers, one of them restarted before every block, agree on every root and receipt', async () => {
    await fc.assert(
      fc.asyncProperty(blocks, async (chain) => {
        const [one, other] = [await Ledger.make(), await Ledger.make()];
        for (const block of chain) {
          other.restart();
          const [first, second] = [await one.commit(block), await other.commit(block)];
          expect(toHex(second.root)).to.equal(toHex(first.root));
          expect(second.receipts).to.deep.equal(first.receipts);
          expect(second.writes).to.deep.equal(first.writes);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('answers a question that it does not know with a code', async () => {
    const ledger = await Ledger.make();
    const none = { prove: false, root: ledger.root };
    const unknown = await ledger.application.query({ path: 'richest', data: alice, ...none });
    const short = await ledger.application.query({ path: 'balance', data: alice.subarray(1), ...none });
    expect([unknown.code, short.code]).to.deep.equal([TOKEN_CODES.malformed, TOKEN_CODES.malformed]);
  });
});

/** The amount of an encoded mint: the varint at its end. */
function amountIn(payload: Uint8Array): number {
  let value = 0n;
  // Behind the outer key and length, the key and 32 bytes of the account, and the key of the amount.
  payload.subarray(2 + 34 + 1).forEach((byte, index) => (value |= BigInt(byte & 0x7f) << BigInt(7 * index)));
  return Number(value);
}
