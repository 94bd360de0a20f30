import { deepEqual } from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeNode } from '@it-chain/testkit';
import { Journal } from '../src/journal.js';

describe('the journal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'my-plugin-'));
  const file = join(folder, 'blocks.jsonl');
  const heights = () =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).height);
  after(() => rmSync(folder, { recursive: true }));

  it('has a line per block without a gap, also after it was away and was cut off in the middle of a line', async () => {
    const node = new FakeNode();
    await new Journal(file, node.roles.chain).follow();
    node.found();
    node.commit();
    node.commit();
    await new Journal(file, node.roles.chain).follow();
    deepEqual(heights(), [1, 2]);
    node.commit();
    appendFileSync(file, '{"height":3,"ti');
    await new Journal(file, node.roles.chain).follow();
    deepEqual(heights(), [1, 2, 3]);
  });
});
