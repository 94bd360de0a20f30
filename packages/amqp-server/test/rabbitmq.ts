import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A RabbitMQ of our own: its own node name, ports and folders, next to nothing else on the machine. */
export interface PrivateRabbitMq {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Debian's program itself; the wrapper in sbin would change the user. */
const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const START_LIMIT_MS = 90_000;

/** Starts RabbitMQ on free ports and waits until it accepts connections. */
export async function startRabbitMq(): Promise<PrivateRabbitMq> {
  const folder = await mkdtemp(join(tmpdir(), 'private-rabbitmq-'));
  const [port, distPort, epmdPort] = await Promise.all([freePort(), freePort(), freePort()]);
  for (const name of ['mnesia', 'log']) await mkdir(join(folder, name));
  await writeFile(join(folder, 'enabled_plugins'), '[].');
  await writeFile(
    join(folder, 'rabbitmq.conf'),
    `listeners.tcp.1 = 127.0.0.1:${port}\nloopback_users.guest = false\nlog.console = false\n`,
  );
  const child = spawn(PROGRAM, [], {
    stdio: 'ignore',
    env: {
      ...process.env,
      HOME: folder,
      RABBITMQ_NODENAME: `test${process.pid}p${port}@localhost`,
      RABBITMQ_DIST_PORT: String(distPort),
      ERL_EPMD_PORT: String(epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_PID_FILE: join(folder, 'rabbit.pid'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    },
  });
  await waitForPort(child, port);
  if (child.pid === undefined) throw new Error('RabbitMQ has no process id');
  return {
    url: `amqp://127.0.0.1:${port}`,
    pid: child.pid,
    stop: async () => {
      const exited = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGTERM');
      await exited;
      // The port mapper of Erlang outlives the node that started it.
      await once(spawn('epmd', ['-port', String(epmdPort), '-kill'], { stdio: 'ignore' }), 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function waitForPort(child: ChildProcess, port: number): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`RabbitMQ ended with code ${String(code)} before it listened`)));
  });
  const deadline = Date.now() + START_LIMIT_MS;
  const probe = async (): Promise<void> => {
    for (;;) {
      const open = await new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
      if (open) return;
      if (Date.now() > deadline) throw new Error(`RabbitMQ did not listen on port ${port} in ${START_LIMIT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await Promise.race([probe(), failed]);
}
