import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from './run.js';

const BIN = fileURLToPath(new URL('../dist/bin.js', import.meta.url));
const FACTOR = Number(process.env['TEST_TIME_FACTOR'] ?? 6);

/** A run of the real command in a process of its own. */
class Process {
  out = '';
  err = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(args: readonly string[], cwd: string) {
    this.child = spawn(process.execPath, [BIN, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }

  get lines(): Record<string, unknown>[] {
    return this.out
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The line that says `ready`. */
  async ready(): Promise<Record<string, unknown>> {
    return this.until(() => this.lines.find((line) => line['ready'] === true));
  }

  async until<T>(look: () => T | undefined): Promise<T> {
    const end = Date.now() + 20_000 * FACTOR;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.child.exitCode !== null || Date.now() > end) throw new Error(`in vain:\n${this.out}\n${this.err}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('the streams of the process', function () {
  this.timeout(60_000 * FACTOR);
  const version = (stdio: (number | 'pipe' | 'ignore')[]): number | null =>
    spawnSync(process.execPath, [BIN, 'version'], { stdio }).status;

  it('a disk that is full ends it with 11: what was not written must not look like success', function () {
    if (!existsSync('/dev/full')) this.skip();
    const full = openSync('/dev/full', 'w');
    try {
      expect(version(['ignore', full, 'ignore'])).to.equal(11);
      // Without a word on standard error the exit code still says what was wrong.
      expect(spawnSync(process.execPath, [BIN, 'nope'], { stdio: ['ignore', 'ignore', full] }).status).to.equal(2);
    } finally {
      closeSync(full);
    }
  });

  it('a reader that has gone, no input and no HOME are no failure', function () {
    if (process.platform === 'win32') this.skip();
    const shell = (line: string): string =>
      spawnSync('sh', ['-c', line], {
        encoding: 'utf8',
        env: { NODE: process.execPath, BIN, PATH: process.env['PATH'], LANG: 'C' },
      }).stdout;
    expect(shell('{ "$NODE" "$BIN" help; echo "code $?" >&2; } 2>&1 >/dev/null | cat')).to.equal('code 0\n');
    expect(shell('{ "$NODE" "$BIN" config schema; echo "code $?" >&2; } 2>&1 | head -n 1')).to.equal('{\n');
    expect(shell('"$NODE" "$BIN" version --json <&- | head -c 1')).to.equal('{');
  });
});

describe('real processes', function () {
  this.timeout(60_000 * FACTOR);
  let folder: string;
  const running: Process[] = [];
  const start = (...args: string[]): Process => {
    const made = new Process(args, folder);
    running.push(made);
    return made;
  };
  const config = (api: string, name = 'one'): string => {
    const file = join(folder, `${name}.json`);
    const plugin = (short: string, section = {}) => ({ use: `@it-chain/plugin-${short}`, with: section });
    writeFileSync(
      file,
      JSON.stringify({
        node: { name, dataDir: join(folder, name) },
        plugins: [
          plugin('gateway', { peers: { listen: '127.0.0.1:0' }, api: { listen: api } }),
          ...['p2p', 'leveldb', 'txpool', 'chain', 'consensus', 'kv'].map((short) => plugin(short)),
        ],
      }),
    );
    return file;
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-processes-'));
  });
  after(async () => {
    await Promise.all(running.map((one) => one.stop('SIGKILL')));
    rmSync(folder, { recursive: true, force: true });
  });

  it('start says its stages and where it is, holds its directory, and stops with 0; chain verify works on and off', async () => {
    const file = config('127.0.0.1:0');
    const node = start('start', '--config', file, '--json', '--solo');
    const ready = await node.ready();
    expect(node.lines.map(({ stage }) => stage).filter((stage) => stage !== undefined)).to.deep.equal([
      'config',
      'load',
      'identity',
      'bus',
      'setup',
      'start',
      'accept',
      'ready',
    ]);
    expect(ready).to.include.keys(
      'nodeId',
      'name',
      'peer',
      'api',
      'bus',
      'dataDir',
      'network',
      'candidate',
      'leader',
      'pid',
    );
    expect(String(ready['bus'])).to.not.match(/:[^/@]+@/);
    // Port 0: the command finds the node by the file beside its data.
    const put = await run([
      'kv',
      'put',
      'a',
      'b',
      '--wait',
      '--timeout',
      String(10_000 * FACTOR),
      '--json',
      '--config',
      file,
    ]);
    expect(put.code, put.err).to.equal(0);
    const read = await run(['kv', 'get', 'a', '--prove', '--json', '--config', file]);
    expect(read.json[0]).to.include({ value: 'b', verified: true });
    const online = await run(['chain', 'verify', '--json', '--config', file]);
    expect(online.json[0]).to.deep.include({ online: true, problems: [] });

    const second = start('start', '--config', file, '--json');
    expect(await second.ended).to.equal(14);
    expect(JSON.parse(second.err.trim().split('\n').at(-1)!)).to.have.nested.property(
      'error.code',
      'ERR_STORAGE_IN_USE',
    );

    expect(await node.stop('SIGTERM')).to.equal(0);
    const offline = await run(['chain', 'verify', '--json', '--config', file]);
    expect(offline.code, offline.err).to.equal(0);
    expect(offline.json[0]).to.deep.include({ online: false, problems: [] });
    // An empty block that certifies the last root may have come in between.
    expect(offline.json[0]!['height']).to.be.at.least(Number(online.json[0]!['height']));
    expect((await run(['id', '--config', file])).out.trim()).to.equal(ready['nodeId']);
  });

  it('start tells a node that is alone what to do next, and ends with 2 for a wrong config before anything is written', async () => {
    const file = config('127.0.0.1:0', 'human');
    const node = start('start', '--config', file);
    await node.until(() => (/leader +none yet/.test(node.out) ? true : undefined));
    expect(node.out).to.match(/✓ ready/);
    expect(await node.stop('SIGINT')).to.equal(0);
    writeFileSync(
      join(folder, 'wrong.yaml'),
      'node: { dataDir: ./never }\nplugins: [{ use: "@it-chain/plugin-gatewa" }]\n',
    );
    const wrong = start('start', '--config', 'wrong.yaml');
    expect(await wrong.ended).to.equal(2);
    expect(wrong.err).to.match(/^error: .*plugin-gatewa/);
    expect(wrong.err).to.not.match(/\n +at /);
  });

  it('devnet: two processes join and agree, and stop together', async () => {
    const base = await freePort();
    const port = String(base > 60_000 ? base - 10_000 : base);
    const devnet = start('devnet', '--nodes', '2', '--dir', 'net', '--base-port', port, '--json');
    await devnet.ready();
    const nodes = devnet.lines.filter(({ pid }) => pid !== undefined);
    expect(nodes.map(({ name }) => name)).to.deep.equal(['n1', 'n2']);
    for (const node of nodes) expect(node).to.have.keys('name', 'nodeId', 'peer', 'api', 'bus', 'pid', 'dir');
    const statuses = await Promise.all(nodes.map(({ api }) => run(['status', '--json', '--api', String(api)])));
    for (const { json } of statuses)
      expect(json[0]).to.include({ role: 'validator', validators: 2, leader: statuses[0]!.json[0]!['leader'] });
    const clash = start('devnet', '--nodes', '1', '--dir', 'other', '--base-port', port);
    expect(await clash.ended).to.equal(1);
    expect(clash.err).to.include('EADDRINUSE');
    expect(await devnet.stop('SIGINT')).to.equal(0);
    for (const option of [
      ['--base-port', String(Number(port) + 500)],
      ['--nodes', '1'],
    ]) {
      const other = start('devnet', '--dir', 'net', ...option);
      expect(await other.ended).to.equal(2);
      expect(other.err).to.include('the devnet in net has');
    }
    for (const { api } of nodes) expect((await run(['status', '--api', String(api)])).code).to.equal(3);
  });
});
