// npm run failpoints: kills a real node of four at every named step of voting and committing, as leader and as follower.
//   --only vote.after-sign,store.in-batch   --rounds 5
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, setup } from './setup.mjs';

setup('all');
const { values } = parseArgs({
  options: { only: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '1' } },
});
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'), join(root, 'test', 'dist', 'failpoints.test.js')],
  { cwd: root, stdio: 'inherit', env: { ...process.env, FAILPOINTS: values.only, ROUNDS: values.rounds } },
);
process.exit(status ?? 1);
