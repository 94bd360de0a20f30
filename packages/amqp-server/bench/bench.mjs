// CPU of the server per message, ours and RabbitMQ's, with publisher and consumer (amqplib) in this process.
// Options: --json, --messages <n> (default 40000), --only ours|rabbitmq
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import amqp from 'amqplib';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    messages: { type: 'string', default: '40000' },
    only: { type: 'string' },
  },
});
const MESSAGES = Number(flags.messages);
const WINDOW = 2000;
const RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const HELPER = new URL('../dist-test/rabbitmq.js', import.meta.url);

/** Each case: body size, whether the consumer acknowledges, whether the publisher wants confirms, share of messages. */
const CASES = [
  { name: '300 B, topic exchange, noAck', size: 300, ack: false, confirm: false, share: 1 },
  { name: '300 B, topic exchange, ack, prefetch 1000, confirms', size: 300, ack: true, confirm: true, share: 1 },
  { name: '300 B, topic exchange, ack, prefetch 100', size: 300, ack: true, prefetch: 100, confirm: false, share: 0.5 },
  { name: '64 KiB, topic exchange, noAck', size: 65_536, ack: false, confirm: false, share: 0.05 },
];

async function startOurs() {
  const child = fork(new URL('./server.mjs', import.meta.url));
  const [{ url }] = await once(child, 'message');
  const ask = async () => {
    child.send('cpu');
    const [{ cpu }] = await once(child, 'message');
    return cpu.user + cpu.system;
  };
  return { name: 'amqp-server', url, cpu: ask, stop: async () => child.disconnect() };
}

async function startRabbit() {
  if (!existsSync(RABBITMQ)) return `${RABBITMQ} is not installed`;
  if (!existsSync(HELPER)) return 'the tests are not built, and the helper that starts RabbitMQ is one of them';
  const { startRabbitMq } = await import(HELPER.href);
  const rabbit = await startRabbitMq();
  return { name: 'rabbitmq', url: rabbit.url, cpu: async () => treeCpu(rabbit.pid), stop: rabbit.stop };
}

/** CPU microseconds of a process and all that descend from it, from /proc (100 ticks a second). */
function treeCpu(root) {
  const processes = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        const text = readFileSync(`/proc/${name}/stat`, 'latin1');
        const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
      } catch {
        return []; // The process ended between the listing and the reading.
      }
    });
  const tree = new Set([root]);
  for (let size = 0; size !== tree.size;) {
    size = tree.size;
    for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid);
  }
  return processes.filter(({ pid }) => tree.has(pid)).reduce((sum, { ticks }) => sum + ticks * 10_000, 0);
}

async function runCase(system, test, messages) {
  const [publisher, consumer] = [await amqp.connect(system.url), await amqp.connect(system.url)];
  const out = test.confirm ? await publisher.createConfirmChannel() : await publisher.createChannel();
  const back = await consumer.createChannel();
  const { queue } = await back.assertQueue('', { exclusive: true });
  await back.bindQueue(queue, 'amq.topic', 'bench.*.committed');
  if (test.ack) await back.prefetch(test.prefetch ?? 1000);
  let received = 0;
  let wake = () => undefined;
  await back.consume(
    queue,
    (message) => {
      received++;
      if (test.ack) back.ack(message);
      wake();
    },
    { noAck: !test.ack },
  );
  const body = Buffer.alloc(test.size, 'x');
  const send = async (count) => {
    const until = received + count;
    const base = received;
    const window = Math.max(8, Math.min(WINDOW, Math.floor((32 << 20) / test.size)));
    for (let sent = 0; sent < count; sent++) {
      out.publish('amq.topic', 'bench.block.committed', body, { contentType: 'application/octet-stream' });
      while (sent - (received - base) >= window) await new Promise((resolve) => (wake = resolve));
    }
    while (received < until) await new Promise((resolve) => (wake = resolve));
    if (test.confirm) await out.waitForConfirms();
  };
  await send(Math.ceil(messages / 4)); // Warm up: compilers on both sides.
  const [cpu, time] = [await system.cpu(), process.hrtime.bigint()];
  await send(messages);
  const seconds = Number(process.hrtime.bigint() - time) / 1e9;
  const used = (await system.cpu()) - cpu;
  await publisher.close();
  await consumer.close();
  return { serverCpuMicros: used / messages, messagesPerSecond: Math.round(messages / seconds) };
}

const systems = [];
const notes = [];
if (flags.only !== 'rabbitmq') systems.push(await startOurs());
if (flags.only !== 'ours') {
  const rabbit = await startRabbit();
  if (typeof rabbit === 'string') notes.push(`RabbitMQ not measured: ${rabbit}.`);
  else systems.push(rabbit);
}
const results = [];
try {
  for (const test of CASES) {
    for (const system of systems) {
      const messages = Math.ceil(MESSAGES * test.share);
      results.push({ case: test.name, system: system.name, messages, ...(await runCase(system, test, messages)) });
    }
  }
} finally {
  for (const system of systems) await system.stop();
}
const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, Node.js ${process.version}`;
if (flags.json) console.log(JSON.stringify({ machine, notes, results }, null, 2));
else {
  console.log(machine);
  console.table(
    results.map((row) => ({
      case: row.case,
      system: row.system,
      'server CPU us/message': row.serverCpuMicros.toFixed(1),
      'messages/s': row.messagesPerSecond,
    })),
  );
  for (const note of notes) console.log(note);
}
