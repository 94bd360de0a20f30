import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@it-chain/contracts';
import { connect } from 'amqplib';
import { expect } from 'chai';
import { NodeProcess, root } from './support/node-process.js';
import { committed, put, scratch } from './support/network.js';
import { PythonProcess, runPython } from './support/python.js';
import { until } from './support/until.js';

interface Found {
  readonly height: number;
  readonly more: boolean;
  readonly entries: readonly {
    readonly height: number;
    readonly index: number;
    readonly id: string;
    readonly sender: string;
    readonly size: number;
    readonly membership: boolean;
  }[];
}

// Needs Python: `npm run python-test` sets it up and sets PYTHON_EXAMPLES=1.
if (process.env['PYTHON_EXAMPLES'] === '1') {
  describe('an audit plugin in Python', function () {
    this.timeout(900_000);
    this.bail(true);
    const folder = scratch();
    let node: NodeProcess;
    let audit: PythonProcess;
    const index = join(folder.dir, 'audit.sqlite');
    const busFile = (): string => join(node.dataDir, 'bus-users', 'audit.json');
    const startAudit = (): PythonProcess =>
      new PythonProcess('audit-python', ['audit.py', '--bus-file', busFile(), '--index', index]);
    /** What a program of the operator is answered over the bus. */
    const ask = (...args: string[]): Found =>
      JSON.parse(runPython('audit-python', ['ask.py', '--bus-file', join(node.dataDir, 'bus.json'), ...args])) as Found;

    before(async () => {
      node = await NodeProcess.create({
        name: 'audited',
        dir: folder.dir,
        args: ['--solo'],
        plugins: [{ use: join(root, 'examples', 'audit-python', 'it-chain-plugin.json') }],
      });
      await node.start();
    });
    after(async () => {
      await audit.stop('SIGKILL');
      await node.stop('SIGKILL');
      folder.remove();
    });

    /** All that the node has committed is in the index, in order. */
    async function isComplete(): Promise<Found> {
      const { height } = await node.client.status();
      const found = await until(
        `the index at ${height}`,
        () => {
          const answer = ask('--limit', '1000');
          return answer.height >= height ? answer : undefined;
        },
        60_000,
      );
      expect([...found.entries].reverse().map(({ id }) => id)).to.deep.equal(await committed(node));
      return found;
    }

    it('takes in what was committed before it was there, and hears what comes', async () => {
      await put(node, 'before', 'it was there');
      audit = startAudit();
      await until('it is connected', () => audit.log.includes('connected to the bus'), 60_000);
      const { id, height } = await put(node, 'while', 'it was there');
      const { entries } = await isComplete();
      expect(entries[0]).to.include({ id: toHex(id), height, membership: false });
      expect(entries[0]?.size).to.be.greaterThan(0);
    });

    it('answers queries over the bus: by sender, by id, page by page, and refuses what is none', async () => {
      const { publicKey } = await node.client.status();
      const all = ask('--sender', toHex(publicKey));
      expect(all.entries.length).to.be.greaterThan(1);
      expect(all.entries.every(({ sender }) => sender === toHex(publicKey))).to.equal(true);
      const [newest] = all.entries;
      expect(ask('--id', newest?.id ?? '').entries).to.deep.equal([newest]);
      expect(ask('--id', '00'.repeat(32)).entries).to.deep.equal([]);
      expect(ask('--limit', '1')).to.deep.include({ more: true, entries: [newest] });
      expect(() => ask('--id', '00')).to.throw(/ERR_DATA_INVALID: id has 1 bytes, not 32/);
    });

    it('is shown by the node as a plugin that runs elsewhere', async () => {
      const { plugins } = await node.client.status();
      expect(plugins.find(({ name }) => name === 'audit')).to.include({ role: 'audit', state: 'remote' });
    });

    it('killed in the middle, it goes on where it was and misses nothing', async () => {
      const writing = (async () => {
        for (let count = 0; count < 10; count += 1) await put(node, `key ${count}`, 'x');
      })();
      await put(node, 'one more', 'x');
      await audit.stop('SIGKILL');
      await writing;
      audit = startAudit();
      await isComplete();
    });

    it('while the node is started again it waits, with another password, and goes on', async () => {
      const before = readFileSync(busFile(), 'utf8');
      await node.stop();
      expect(existsSync(busFile())).to.equal(false);
      await node.start(['--solo']);
      expect(readFileSync(busFile(), 'utf8')).to.not.equal(before);
      await put(node, 'after', 'the restart');
      await isComplete();
      expect(audit.running).to.equal(true);
    });

    it('with its user nobody can do what its manifest does not name', async () => {
      const { url, namespace } = JSON.parse(readFileSync(busFile(), 'utf8')) as { url: string; namespace: string };
      const connection = await connect(url);
      for (const key of ['storage.write.v1', 'block.commit.v1', 'identity.sign.v1', 'transaction.submit.v1']) {
        const channel = await connection.createConfirmChannel();
        const closed = new Promise<unknown>((resolve) => {
          channel.once('error', (error: Error & { code?: number }) => {
            resolve(error.code);
          });
        });
        channel.publish(`${namespace}.rpc`, key, Buffer.from(''));
        expect(await closed, key).to.equal(403);
      }
      await connection.close();
      await put(node, 'still', 'there');
    });

    it('ends when it is told to', async () => {
      expect(await audit.stop()).to.equal(0);
    });
  });
}
