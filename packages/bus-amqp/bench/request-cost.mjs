// CPU microseconds of one call through proxy, codec, bus, handler and answer: node bench/request-cost.mjs [amqp-url]
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AmqpServer } from '@it-chain/amqp-server';
import { connectAmqpBus } from '@it-chain/bus-amqp';
import { bytes, defineRole, message, query } from '@it-chain/contracts';
import { createProxy, MemoryBus, serveRole, SystemClock } from '@it-chain/kernel';

const Body = message('Body', { body: bytes(1) });
const Echo = defineRole('echo', 1, {
  doc: '',
  promises: [],
  calls: { say: query({ name: 'echo.say', doc: '', in: Body, out: Body, timeoutMs: 60_000 }) },
  events: {},
});
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const clock = new SystemClock();

async function measure(bus, server, inFlight, count) {
  let next = 0;
  const proxy = createProxy(Echo, { bus: () => bus, clock, sender: 'bench', nextId: () => `b-${next++}` });
  const body = new Uint8Array(300).fill(7);
  const run = async (calls) => {
    let left = calls;
    const lane = async () => {
      while (left-- > 0) await proxy.say({ body });
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
  };
  await run(count / 4);
  const results = [];
  for (let pass = 0; pass < 5; pass += 1) {
    const before = process.cpuUsage();
    await run(count);
    const { user, system } = process.cpuUsage(before);
    results.push((user + system) / count);
  }
  return Math.min(...results).toFixed(1);
}

async function report(what, open, count) {
  const [bus, other, close] = await open();
  const served = await serveRole(other, Echo, { say: async (request) => request }, silent);
  console.log(
    what,
    '64 in flight:',
    await measure(bus, other, 64, count),
    'one:',
    await measure(bus, other, 1, count / 4),
  );
  await served.close();
  await close();
}

await report(
  'MemoryBus',
  async () => {
    const bus = new MemoryBus();
    return [bus, bus, () => bus.close()];
  },
  40_000,
);
await report(
  'embedded, Unix socket, one process',
  async () => {
    const server = new AmqpServer();
    const socketPath = join(mkdtempSync(join(tmpdir(), 'bench-')), 's');
    await server.listen({ path: socketPath });
    const bus = await connectAmqpBus({ socketPath, namespace: 'bench' });
    return [bus, bus, async () => (await bus.close(), server.close())];
  },
  8_000,
);
const url = process.argv[2] ?? process.env.RABBITMQ_URL;
if (url !== undefined) {
  await report(
    'broker at the url (its own CPU not counted)',
    async () => {
      const bus = await connectAmqpBus({ url, namespace: 'bench' });
      return [bus, bus, () => bus.close()];
    },
    8_000,
  );
}
