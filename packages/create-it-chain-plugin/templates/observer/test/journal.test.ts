import { deepEqual, equal } from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBlock } from '@it-chain/contracts';
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

  it('has a line per block, and knows how far it has come, also where a crash cut off the last line', () => {
    const node = new FakeNode();
    const [first, second, third] = [1, 2, 3].map(() => readBlock(node.commit().certified));
    const journal = new Journal(file);
    journal.take(first!);
    journal.take(second!);
    deepEqual([heights(), journal.height], [[1, 2], 2]);
    appendFileSync(file, '{"height":3,"ti');
    const again = new Journal(file);
    equal(again.height, 2);
    again.take(third!);
    deepEqual(heights(), [1, 2, 3]);
  });
});
