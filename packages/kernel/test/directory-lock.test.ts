import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { exitCodeOf, MemoryBus } from '@it-chain/kernel';
import { makePlugin, makeRole, World } from './support/world.js';

describe('lock of the data directory', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.close());

  const config = { plugins: [{ use: makePlugin('a') }] };

  /** Starts a node on the same directory in a process of its own; resolves when it is ready. */
  async function other() {
    const kernel = pathToFileURL(fileURLToPath(import.meta.resolve('@it-chain/kernel'))).href;
    const script = join(world.folder, 'other.mjs');
    writeFileSync(
      script,
      `import { startNode, MemoryBus } from ${JSON.stringify(kernel)};
       const plugin = { name: 'a', version: '1.0.0', api: 1, setup() {} };
       await startNode({ cwd: ${JSON.stringify(world.folder)}, config: { plugins: [{ use: plugin }] }, env: {}, defaults: { plugins: [] }, version: '1', bus: new MemoryBus(), logDestination: { write() {} } });
       console.log('ready'); setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return child;
  }

  it('a second process is refused with the number of the first; kill -9 of the first frees it', async () => {
    const child = await other();
    const error = await world.refused({ config });
    expect(error).to.include({ code: 'ERR_STORAGE_IN_USE' });
    expect(error.message).to.contain(`process ${String(child.pid)} uses the data directory ${world.folder}/data/node`);
    expect(error.hint).to.contain(String(child.pid));
    expect(exitCodeOf(error)).to.equal(14);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    const node = await world.start({ config });
    expect(node.nodeId).to.be.a('string');
  });

  it('is given back by stop, and by a start that failed', async () => {
    const node = await world.start({ config });
    expect(await world.refused({ config })).to.include({ code: 'ERR_STORAGE_IN_USE' });
    await node.stop();
    const broken = {
      plugins: [
        {
          use: {
            ...makePlugin('a'),
            setup: () => {
              throw new Error('boom');
            },
          },
        },
      ],
    };
    await world.refused({ config: broken });
    await (await world.start({ config })).stop();
  });

  it('lets processes of one node share the directory with different roles, and no role twice', async () => {
    const alpha = makeRole('alpha');
    const beta = makeRole('beta');
    const plugins = [{ use: makePlugin('a', { provides: [alpha] }) }, { use: makePlugin('b', { provides: [beta] }) }];
    const bus = new MemoryBus();
    const holder = await world.start({ bus, only: ['alpha', 'identity'], config: { plugins } });
    const shared = (only: string[]) => ({
      bus: new MemoryBus({ broker: bus.broker }),
      only,
      config: { node: { id: holder.nodeId }, plugins },
    });
    await world.start(shared(['beta']));
    expect(await world.refused(shared(['alpha']))).to.include({ code: 'ERR_STORAGE_IN_USE' });
    expect(await world.refused({ ...shared(['identity']) })).to.include({ code: 'ERR_STORAGE_IN_USE' });
  });
});
