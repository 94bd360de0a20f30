import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { expect } from 'chai';
import { cli } from './support/cli.js';
import { NodeProcess, root } from './support/node-process.js';
import { scratch } from './support/network.js';
import { until } from './support/until.js';

const fixture = (name: string): string => join(root, 'test', 'fixtures', name);
const keys = keyPairFromSeed(sha256(utf8('sender')));

/** Memory that a process has in use, in MiB. */
function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
}

describe('a plugin that does wrong in a running node', function () {
  this.timeout(600_000);
  this.bail(true);
  const folder = scratch();
  const moodFile = join(folder.dir, 'mood');
  const be = (mood: string): void => {
    writeFileSync(moodFile, mood);
  };
  let node: NodeProcess;
  let children: ChildProcess[] = [];
  before(async () => {
    be('fine');
    writeFileSync(
      join(folder.dir, 'flood.json'),
      JSON.stringify({
        name: 'flood',
        version: '1.0.0',
        api: 1,
        calls: { 'chain.v1': ['chain.tip.v1'] },
        listens: ['flood.noise.v1'],
        tells: ['flood.noise.v1'],
      }),
    );
    node = await NodeProcess.create({
      name: 'moody',
      dir: folder.dir,
      application: fixture('moody.mjs'),
      args: ['--solo'],
      env: { MOODY_FILE: moodFile },
      plugins: [{ use: join(folder.dir, 'flood.json') }],
    });
    await node.start();
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children = [];
  });
  after(async () => {
    await node.stop('SIGKILL');
    folder.remove();
  });

  const send = (text: string) => node.client.send(utf8(text), keys);
  async function isCommitted(id: Uint8Array): Promise<void> {
    const { status } = await node.client.waitForTransaction(id, { timeoutMs: 300_000 });
    expect(status, toHex(id)).to.equal('committed');
  }

  /** Submits until it is taken, as a client does that is told to try again, and waits until it is committed. */
  async function getsThrough(text: string): Promise<void> {
    const { id } = await until(`"${text}" is taken`, () => send(text), 30_000);
    await isCommitted(id);
  }

  for (const [mood, says] of [
    ['throws', /"plugin":"moody"[^\n]*moody boom/],
    ['answers a root of three bytes', /application\.execute\.v1 with what is no ExecuteAnswer/],
    ['answers nothing', /application\.execute\.v1 with what is no ExecuteAnswer/],
    ['answers text', /application\.execute\.v1 with what is no ExecuteAnswer/],
    ['answers no receipts', /the application answered 0 receipts for \d+ transactions/],
    ['answers another root without writes', /another root for block \d+ \((?:07){32}\), but no writes/],
  ] as const) {
    it(`one that ${mood}: named in the log, no block is made of it, and the node goes on once it does right`, async () => {
      await isCommitted((await send(`before it ${mood}`)).id);
      node.stderr = '';
      be(mood);
      const { id } = await send(`while it ${mood}`);
      await until('the log names it', () => says.test(node.stderr), 30_000);
      expect(node.stderr).to.not.match(/^\s+at /m);
      expect((await node.client.transaction(id)).status).to.be.oneOf(['pending', 'proposed']);
      be('fine');
      await isCommitted(id);
    });
  }

  it('one that hangs: the call ends at its deadline, the node answers meanwhile and goes on', async () => {
    be('hangs');
    const { id } = await send('while it hangs');
    await until('it hangs', async () => (await node.client.transaction(id)).status === 'pending');
    be('fine');
    expect((await node.client.status()).plugins.find(({ role }) => role === 'application')?.name).to.equal('moody');
    await isCommitted(id);
  });

  for (const [mood, says] of [
    [
      'throws in a timer',
      /moody late boom, thrown at \S+moody\.mjs:\d+ and caught by nobody.*ERR_NODE_UNCAUGHT|ERR_NODE_UNCAUGHT.*moody late boom, thrown at \S+moody\.mjs:\d+/,
    ],
    ['exits with 0', /process\.exit\(0\) was called at \S+moody\.mjs:\d+/],
    ['exits with 13', /process\.exit\(13\) was called at \S+moody\.mjs:\d+/],
  ] as const) {
    it(`one that ${mood} ends the node with code 1, named by its file; started again nothing is lost`, async () => {
      be(mood);
      const { id } = await send(`before it ${mood}`).catch(() => ({ id: undefined }));
      expect(await node.ended()).to.deep.equal({ code: 1, signal: null });
      expect(node.stderr).to.match(says);
      await node.stop();
      be('fine');
      await node.start();
      if (id !== undefined) await isCommitted(id);
      await isCommitted((await send(`after it ${mood}`)).id);
    });
  }

  it('one that floods the bus from another process is kept to its connections and queues, and others get through', async () => {
    const child = spawn(process.execPath, [fixture('flood-bus.mjs'), join(node.dataDir, 'bus-users', 'flood.json')]);
    children.push(child);
    let refused = '';
    child.stdout.on('data', (chunk: Buffer) => {
      refused += chunk.toString();
    });
    await getsThrough('while it begins');
    await until('it was refused more', () => refused.includes('\n'), 120_000);
    expect(JSON.parse(refused)).to.include.members(['connection', 506]);
    for (const name of ['one', 'two', 'three']) await getsThrough(`under flood ${name}`);
    expect(residentMiB(node.pid)).to.be.lessThan(1_500);
  });

  it('what it did to the node is nothing: the chain is whole', async () => {
    const { height } = await node.client.status();
    await node.stop();
    const verified = JSON.parse(cli(['chain', 'verify', '--json', '--config', node.configFile], folder.dir)) as {
      readonly height: number;
    };
    // The block that certifies the last state root may have come in between.
    expect(verified.height).to.be.within(height, height + 1);
  });
});
