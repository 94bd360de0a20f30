import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { until } from './until.js';

const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
/** Not the wrapper in sbin, which changes user. */
const CTL = '/usr/lib/rabbitmq/bin/rabbitmqctl';

/** A RabbitMQ of the test's own: node name, ports and directories are nobody else's. */
export interface PrivateRabbitMq {
  readonly url: string;
  /** Ends the broker, by default politely. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Runs `rabbitmqctl`. */
  ctl(args: readonly string[]): void;
  /** Runs a shell script that finds `rabbitmqctl` in `$RABBITMQCTL`. */
  shell(script: string, input: string): void;
  /** Stops it and removes its files. */
  remove(): Promise<void>;
}

/** True where Debian's package is installed. */
export const hasRabbitMq = (): boolean => existsSync(SERVER);

/** Installs Debian's package, as root, and makes sure that the system's own broker does not run. */
export function installRabbitMq(): void {
  if (hasRabbitMq()) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'rabbitmq-server']]) {
    const { status } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed with ${String(status)}`);
  }
}

/** Starts a broker that listens at `host` and waits until it speaks AMQP. */
export async function startRabbitMq(host = '127.0.0.1'): Promise<PrivateRabbitMq> {
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-rabbit-'));
  const [amqp, dist, epmd] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(join(dir, 'enabled_plugins'), '[].\n');
  writeFileSync(join(dir, 'rabbitmq.conf'), `listeners.tcp.1 = ${host}:${amqp}\nloopback_users.guest = false\n`);
  const env = {
    ...process.env,
    HOME: dir,
    RABBITMQ_NODENAME: `test${process.pid}x${amqp}@localhost`,
    RABBITMQ_DIST_PORT: String(dist),
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'rabbit.pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'none.conf'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq'),
    RABBITMQCTL: CTL,
  };
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(SERVER, [], { env, stdio: 'ignore', detached: true });
    await until('RabbitMQ to speak AMQP', () => greets(host, amqp), 60_000);
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const running = child;
    child = undefined;
    if (running?.pid === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    // The whole group: Erlang's VM is a child of the script.
    process.kill(-running.pid, signal);
    await gone;
    await until('RabbitMQ to be gone', async () => !(await greets(host, amqp)), 30_000);
  };
  const run = (command: string, args: readonly string[], input: string): void => {
    const { status, stdout, stderr } = spawnSync(command, args, { env, input, encoding: 'utf8', timeout: 120_000 });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
  };
  await start();
  return {
    url: `amqp://guest:guest@${host}:${amqp}`,
    start,
    stop,
    ctl: (args) => {
      run(CTL, args, '');
    },
    shell: (script, input) => {
      run('/bin/sh', [script], input);
    },
    remove: async () => {
      await stop();
      spawnSync('pkill', ['-f', `epmd.*${epmd}`]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** True when something at the port answers an AMQP protocol header with Connection.Start. */
function greets(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')));
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.once('data', (data) => end(data[0] === 1));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
