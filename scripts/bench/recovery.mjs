// npm run bench -- --recovery: a chain that is made beforehand; then how long a node takes to come back after kill -9, and
// how fast a new one catches up from one and from three peers.
//   --blocks 5000       length of the chain
//   --per-block 10      transactions in each block
//   --json              the report as JSON on standard output
import { spawn } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { root, setup } from '../setup.mjs';

setup('src');
const { values } = parseArgs({
  options: {
    recovery: { type: 'boolean' },
    blocks: { type: 'string', default: '5000' },
    'per-block': { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
});
const contracts = await import('@it-chain/contracts');
const kernel = await import('@it-chain/kernel');
const { createClient } = await import('@it-chain/client');
const blocks = Number(values.blocks);
const perBlock = Number(values['per-block']);
const dir = mkdtempSync(join(tmpdir(), 'it-chain-bench-'));
const children = new Set();
const say = (line) => (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const round = (value, digits = 1) => Number(value.toFixed(digits));
const until = async (look, limitMs = 3_600_000) => {
  for (const end = performance.now() + limitMs; ;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (performance.now() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const report = {
  date: new Date().toISOString(),
  node: process.version,
  cpus: `${cpus().length} x ${cpus()[0]?.model}`,
  blocks,
  perBlock,
};
try {
  const began = performance.now();
  await makeChain(configOf('founder', await freePort(), await freePort()));
  report.madeSeconds = round((performance.now() - began) / 1_000);
  say(
    `${report.cpus}, Node ${report.node}: ${blocks} blocks of ${perBlock} transactions made in ${report.madeSeconds} s`,
  );
  for (const name of ['second', 'third']) copyChain('founder', name);
  report.recovery = await recovery();
  report.sync = [await sync(1), await sync(3)];
  if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}

/** Commits certified blocks of one validator in a store, without a network, as fast as the chain executes them. */
async function makeChain(config) {
  const { Chain, P2p, Storage, TxPool, p2pKeys, Genesis, networkOf } = contracts;
  const options = {
    cwd: dir,
    file: config.file,
    env: {},
    resolveFrom: [join(root, 'packages', 'cli', 'dist', 'index.js')],
    only: ['storage', 'application', 'chain', 'identity'],
  };
  const bus = new kernel.MemoryBus();
  let genesis;
  let batch = [];
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  await kernel.serveRole(bus, P2p, { network: async () => ({ genesis }) }, quiet);
  await kernel.serveRole(
    bus,
    TxPool,
    {
      take: async () => ({ transactions: batch }),
      have: async ({ ids }) => ({ transactions: ids.map((_, index) => batch[index]) }),
    },
    quiet,
  );
  const node = await kernel.startNode({ ...options, version: '0', bus, logDestination: { write() {} } });
  let calls = 0;
  const origin = { bus: () => bus, clock: new kernel.SystemClock(), sender: 'bench', nextId: () => `bench-${++calls}` };
  const [storage, chain] = [kernel.createProxy(Storage, origin), kernel.createProxy(Chain, origin)];
  const seed = createPrivateKey(readFileSync(join(dir, 'founder', 'node.key'))).export({ format: 'jwk' }).d;
  const keys = contracts.keyPairFromSeed(Buffer.from(seed, 'base64url'));
  const founded = {
    ...contracts.GENESIS_DEFAULTS,
    nonce: contracts.sha256(contracts.utf8(String(Date.now()))),
    founder: keys.publicKey,
    validators: [keys.publicKey],
    admission: 'open',
    application: 'kv/1',
    time: Date.now() - 1_000 * blocks,
  };
  const network = networkOf(founded);
  genesis = Genesis.encode(founded);
  await storage.write({
    writes: [{ namespace: 'p2p', key: p2pKeys.genesis, value: genesis }],
    when: [],
    sync: true,
    writer: '',
    sequence: 0,
  });
  await until(() => chain.tip({}));
  for (let height = 1; height <= blocks; height += 1) {
    batch = Array.from({ length: perBlock }, (_, index) => transactionOf(network, keys, height, index));
    const { digest } = await chain.build({ height });
    const vote = contracts.voteSigningBytes(network, { type: 'commit', height, round: 0, digest });
    const seals = [{ validator: 0, signature: contracts.signBytes(vote, keys.secretKey) }];
    await chain.commit({
      height,
      digest,
      certificate: { height, round: 0, digest, seals },
      clearLogBelow: 0,
      sync: height % 100 === 0 || height === blocks,
    });
  }
  await node.stop();
}

function transactionOf(network, keys, height, index) {
  const nonce = Buffer.alloc(8);
  nonce.writeUInt32BE(height);
  nonce.writeUInt32BE(index, 4);
  const key = contracts.utf8(`key-${(height * perBlock + index) % 20_000}`);
  const application = contracts.KvOperation.encode({ put: { key, value: Buffer.alloc(100, height % 251) } });
  return contracts.signTransaction({ network, nonce, expiresAt: height + 10, application }, keys);
}

/** kill -9 of a node under load at the end of the chain; the time from its new start to its first commit. */
async function recovery() {
  const founder = await start('founder');
  await founder.put('before', 'kill');
  founder.child.kill('SIGKILL');
  await founder.ended;
  const began = performance.now();
  const again = await start('founder');
  const readySeconds = round((performance.now() - began) / 1_000, 2);
  await again.put('after', 'kill');
  const commitSeconds = round((performance.now() - began) / 1_000, 2);
  await again.stop();
  say(
    `after kill -9 at ${blocks} blocks: ready in ${readySeconds} s, a transaction committed after ${commitSeconds} s`,
  );
  return { blocks, readySeconds, commitSeconds };
}

/** A new node catches up from so many peers that hold the whole chain. */
async function sync(peers) {
  const sources = [];
  for (const name of ['founder', 'second', 'third'].slice(0, peers)) sources.push(await start(name));
  const target = Math.max(
    ...(await Promise.all(sources.map(({ client }) => client.status()))).map(({ height }) => height),
  );
  const { file } = configOf(`late-${peers}`, await freePort(), await freePort(), {
    p2p: { dial: sources.map(({ peer }) => peer) },
    consensus: { snapshotAfterBlocks: 0 },
  });
  const late = await start(`late-${peers}`, file);
  const first = await until(async () => {
    const { height } = await late.client.status();
    return height > 0 && { height, at: performance.now() };
  });
  const last = await until(async () => {
    const { height } = await late.client.status();
    return height >= target && { height, at: performance.now() };
  });
  const seconds = (last.at - first.at) / 1_000;
  const count = last.height - first.height;
  const result = {
    peers,
    blocks: count,
    seconds: round(seconds),
    blocksPerSecond: round(count / seconds),
    transactionsPerSecond: round((count * perBlock) / seconds),
  };
  say(
    `from ${peers} peer(s): ${count} blocks in ${result.seconds} s: ${result.blocksPerSecond} blocks/s, ${result.transactionsPerSecond} tx/s`,
  );
  await late.stop();
  for (const source of sources) await source.stop();
  return result;
}

/** A node with the same chain and a key of its own. */
function copyChain(from, to) {
  cpSync(join(dir, from, 'plugins'), join(dir, to, 'plugins'), { recursive: true });
}

function configOf(name, peer, api, sections = {}) {
  const plugin = (short, own = {}) => ({ use: `@it-chain/plugin-${short}`, with: { ...own, ...sections[short] } });
  const file = join(dir, `${name}.json`);
  mkdirSync(join(dir, name), { recursive: true });
  writeFileSync(
    file,
    JSON.stringify({
      node: { name, dataDir: join(dir, name) },
      bus: { listen: '127.0.0.1:0' },
      log: { level: 'warn' },
      plugins: [
        plugin('gateway', { peers: { listen: `127.0.0.1:${peer}` }, api: { listen: `127.0.0.1:${api}` } }),
        ...['p2p', 'leveldb', 'txpool', 'chain', 'consensus', 'kv'].map((short) => plugin(short)),
      ],
    }),
  );
  return { file, peer: `127.0.0.1:${peer}`, api: `127.0.0.1:${api}` };
}

async function start(name, given) {
  const file = given ?? configOf(name, await freePort(), await freePort()).file;
  const bin = join(root, 'packages', 'cli', 'dist', 'bin.js');
  const child = spawn(process.execPath, [bin, 'start', '--config', file, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.add(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  void ended.then(() => children.delete(child));
  const facts = await new Promise((resolve, reject) => {
    void ended.then((code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const read = line.startsWith('{') ? JSON.parse(line) : {};
      if (read.ready === true) resolve(read);
    });
  });
  const client = createClient({ address: facts.api });
  const put = async (key, value) => {
    const { id } = await client.kv.put(key, value);
    await client.waitForTransaction(id, { timeoutMs: 120_000 });
  };
  const stop = async () => {
    client.close();
    child.kill('SIGTERM');
    await ended;
  };
  return { child, ended, client, put, stop, peer: facts.peer };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
