import { expect } from 'chai';
import fc from 'fast-check';
import { inputsOf } from './corpus.js';
import { EDIT_KINDS, mutate, type Edit } from './mutate.js';
import { targets } from './targets.js';

/** A longer run: FUZZ_RUNS=20000. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 300);

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom(...EDIT_KINDS),
  at: fc.nat(70_000),
  value: fc.nat(255),
});

const all = await targets();

describe('every decoder of bytes from outside', function () {
  this.timeout(600_000);

  for (const { name, seeds, run } of all) {
    describe(name, () => {
      // Files are slow; what they hold is short.
      const runs = name === 'key-file' ? RUNS / 5 : RUNS;

      it('takes what is valid', async () => {
        for (const seed of seeds) expect(await run(seed)).to.equal(true);
      });

      it('takes or refuses what once broke it, or reached something new', async () => {
        for (const input of [...inputsOf('found', name), ...inputsOf('corpus', name)]) await run(input);
      });

      it('takes or refuses what is cut off, at every byte', async () => {
        for (const seed of seeds) {
          const step = name === 'key-file' ? 7 : 1;
          for (let end = 0; end < seed.length; end += step) await run(seed.subarray(0, end));
        }
      });

      it('takes or refuses what was changed', async () => {
        const changed = fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 6 }));
        const property = fc.asyncProperty(changed, async ([seed, edits]) => {
          await run(mutate(seed, edits));
        });
        await fc.assert(property, { numRuns: runs });
      });

      it('takes or refuses noise', async () => {
        const property = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (input) => {
          await run(input);
        });
        await fc.assert(property, { numRuns: runs });
      });
    });
  }
});
