import { expect } from 'chai';
import { runReadmeExample } from '../support/readme-example.js';

/** What the example in each README prints. */
const EXAMPLES: readonly (readonly [string, RegExp])[] = [
  ['packages/plugin-memory', /^ERR_STORAGE_CONDITION\n$/],
  ['packages/plugin-solo', /^solo 200 true\n$/],
  ['packages/plugin-postgres', /^ERR_STORAGE_IO\n$/],
  ['packages/plugin-raft', /^build\n$/],
  ['examples/txpool-priority', /^vip vip alice bob\n$/],
  ['examples/p2p-static', /^true\nfalse\n$/],
  ['examples/token', /^0 \n0 \n2 the balance is 6, less than 7\n$/],
  ['examples/notary', /^0 draft\n2 draft\n$/],
];

describe('the examples in the READMEs', function () {
  this.timeout(120_000);
  for (const [folder, printed] of EXAMPLES) {
    it(`${folder} compiles and runs`, async () => {
      expect(await runReadmeExample(folder)).to.match(printed);
    });
  }
});
