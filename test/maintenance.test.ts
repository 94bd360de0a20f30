import { copyFileSync, existsSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { liveTables } from '@it-chain/plugin-leveldb';
import { run } from './support/command.js';
import { NodeProcess } from './support/node-process.js';
import { put, scratch } from './support/network.js';
import { until } from './support/until.js';

const KEYS = 30;

describe('a chain in the hands of an operator', function () {
  this.timeout(600_000);
  const folder = scratch();
  const file = join(folder.dir, 'all.blocks');
  const nodes: NodeProcess[] = [];
  let node: NodeProcess;
  let height = 0;
  let digest = '';

  const make = async (name: string): Promise<NodeProcess> => {
    const made = await NodeProcess.create({
      name,
      dir: folder.dir,
      sections: { leveldb: { writeBufferBytes: 65_536 } },
    });
    nodes.push(made);
    return made;
  };
  const value = async (of: NodeProcess, key: string): Promise<string | undefined> => {
    const { value: found } = await of.client.kv.get(key);
    return found === undefined ? undefined : Buffer.from(found).toString().slice(0, 10);
  };
  const at = async (of: NodeProcess): Promise<string> => toHex((await of.client.status()).digest);

  before(async () => {
    node = await make('origin');
    await node.start(['--solo']);
    for (let index = 0; index < KEYS; index += 1) {
      ({ height } = await put(node, `key-${index}`, `v${index}`.padEnd(8_000, '.')));
    }
    // The block that certifies the last root follows by itself.
    await until('the last root to be certified', async () => (await node.client.status()).height > height);
    ({ height } = await node.client.status());
    digest = await at(node);
  });
  after(async () => {
    await Promise.all(nodes.map((one) => one.stop('SIGKILL')));
    folder.remove();
  });

  it('is exported from a node that runs and from one that is stopped, to the same bytes', async () => {
    const running = await run('chain', 'export', file, '--config', node.configFile);
    expect(running, running.err).to.deep.include({ code: 0, json: { file, from: 1, to: height } });
    await node.stop();
    const again = join(folder.dir, 'again.blocks');
    const stopped = await run('chain', 'export', again, '--config', node.configFile);
    expect(stopped.code, stopped.err).to.equal(0);
    expect(readFileSync(again).equals(readFileSync(file))).to.equal(true);
    expect((await run('chain', 'export', file, '--config', node.configFile)).code).to.equal(2);
  });

  it('is imported by a new node, which then is where the first one was', async () => {
    const copy = await make('imported');
    const done = await run('chain', 'import', file, '--config', copy.configFile);
    expect(done.json, done.err).to.include({ before: 0, height });
    await copy.start();
    expect(await at(copy)).to.equal(digest);
    expect(await value(copy, `key-${KEYS - 1}`)).to.equal(`v${KEYS - 1}`.padEnd(10, '.'));
    await copy.stop();
    const twice = await run('chain', 'import', file, '--config', copy.configFile);
    expect(twice.json, twice.err).to.include({ before: height, height });
  });

  it('is not imported from a file that was changed, cut off, or is of another network', async () => {
    const fresh = await make('wary');
    const bytes = readFileSync(file);
    for (const [name, change] of [
      ['flipped', (path: string) => writeFileSync(path, flipped(bytes, Math.floor(bytes.length / 2)))],
      ['without its end', (path: string) => truncateSync(path, bytes.length - 21)],
    ] as const) {
      const path = join(folder.dir, 'wrong.blocks');
      copyFileSync(file, path);
      change(path);
      const refused = await run('chain', 'import', path, '--config', fresh.configFile);
      expect(refused.err, name).to.include('ERR_CHAIN_FILE_INVALID');
      expect(refused.code).to.not.equal(0);
    }
    await fresh.start(['--solo']);
    await put(fresh, 'own', 'network');
    await fresh.stop();
    const other = await run('chain', 'import', file, '--config', fresh.configFile);
    expect(other.err).to.include('ERR_DIFFERENT_NETWORK');
    expect(other.code).to.equal(5);
  });

  it('is rolled back to a height with the state of then, never its guard, and comes forward again from the file', async () => {
    const guard = readFileSync(join(node.dataDir, 'votes.guard'));
    const unasked = await run('chain', 'rollback', '10', '--config', node.configFile);
    expect(unasked.code).to.equal(2);
    expect(unasked.err).to.include('--yes');
    const done = await run('chain', 'rollback', '10', '--config', node.configFile, '--yes');
    expect(done.json, done.err).to.include({ height: 10 });
    expect(existsSync(String(done.json['kept']))).to.equal(true);
    expect(readFileSync(join(node.dataDir, 'votes.guard')).equals(guard)).to.equal(true);
    const verified = await run('chain', 'verify', '--config', node.configFile);
    expect(verified.json, verified.err).to.deep.include({ height: 10, verified: 10, problems: [] });
    await node.start();
    expect(await value(node, 'key-29')).to.equal(undefined);
    expect(await value(node, 'key-1')).to.not.equal(undefined);
    await node.stop();
    const forward = await run('chain', 'import', file, '--config', node.configFile);
    expect(forward.json, forward.err).to.include({ height });
    await node.start();
    expect(await at(node)).to.equal(digest);
  });

  it('is not touched while the node runs', async () => {
    for (const args of [
      ['rollback', '10', '--yes'],
      ['repair', '--yes'],
      ['import', file],
    ]) {
      const refused = await run('chain', ...args, '--config', node.configFile);
      expect(refused.code, refused.err).to.equal(14);
    }
    await node.stop();
  });

  it('is repaired from its own sound blocks and a file, where a table of the store is damaged', async () => {
    expect((await run('chain', 'repair', '--config', node.configFile, '--yes')).json).to.deep.include({ problems: [] });
    const files = join(node.dataDir, 'plugins', 'leveldb', 'db');
    const live = (await liveTables(files)).files;
    expect(live.length).to.be.greaterThan(0);
    const biggest = live.map((name) => join(files, name)).sort((a, b) => statSync(b).size - statSync(a).size)[0]!;
    writeFileSync(biggest, flipped(readFileSync(biggest), 10_000));
    const refused = await run('start', '--config', node.configFile);
    expect(refused.code, refused.err).to.equal(10);
    const unasked = await run('chain', 'repair', '--config', node.configFile, '--file', file);
    expect(unasked.code, unasked.err).to.equal(2);
    const repaired = await run('chain', 'repair', '--config', node.configFile, '--file', file, '--yes');
    expect(repaired.json['problems'], repaired.err).to.not.deep.equal([]);
    expect(repaired.json).to.include({ height });
    await node.start();
    expect(await at(node)).to.equal(digest);
    await put(node, 'after', 'the repair');
    await node.stop();
  });

  it('says what it could not get, where LevelDB lost its list of files and no source has all', async () => {
    const files = join(node.dataDir, 'plugins', 'leveldb', 'db');
    const manifest = readdirSync(files).find((name) => name.startsWith('MANIFEST'))!;
    writeFileSync(join(files, manifest), 'nothing');
    const alone = await run('chain', 'repair', '--config', node.configFile, '--yes');
    expect(alone.code).to.equal(2);
    expect(alone.err).to.include('genesis');
    const done = await run('chain', 'repair', '--config', node.configFile, '--file', file, '--yes');
    expect(done.code, done.err).to.equal(1);
    expect(done.json).to.include({ height });
    expect(String(done.json['lost'])).to.include('votes of the open height');
    const verified = await run('chain', 'verify', '--config', node.configFile);
    expect(verified.json, verified.err).to.deep.include({ height, verified: height, problems: [] });
    // A lone validator that lost its votes does not vote by itself: it might contradict one that somebody holds.
    await node.start();
    const status = await node.client.status();
    expect(status.height).to.equal(height);
  });
});

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 4;
  return changed;
}
