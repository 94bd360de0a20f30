import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from './run.js';

describe('it-chain recover', () => {
  const folder = mkdtempSync(join(tmpdir(), 'it-chain-recover-'));
  const config = join(folder, 'node.json');
  before(() => {
    writeFileSync(config, JSON.stringify({ node: { dataDir: join(folder, 'data') }, plugins: [] }));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('wants one way into the new network, and a reason for a new one, before it opens anything', async () => {
    const key = 'ab'.repeat(32);
    for (const [args, said] of [
      [[], 'recover into which network?'],
      [['--new-set', key], 'for a reason'],
      [['--new-set', key, '--reason', '  '], 'for a reason'],
      [['--new-set', key, '--reason', 'x'.repeat(257)], '257 characters'],
      [['--new-set', ',', '--reason', 'x'], 'the new set is empty'],
      [['--new-set', key, '--reason', 'x', '--file', 'f'], 'more than one network'],
      [['--from', '127.0.0.1:1', '--file', 'f'], 'more than one network'],
      [['--file', 'f', '--reason', 'x'], '--reason belongs to --new-set'],
    ] as const) {
      const { code, err } = await run(['recover', '--config', config, '--yes', ...args]);
      expect(code, args.join(' ')).to.equal(2);
      expect(err).to.include(said);
    }
  });
});
