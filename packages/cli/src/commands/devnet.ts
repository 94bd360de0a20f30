import { resolve } from 'node:path';
import { failure } from '@it-chain/contracts';
import type { Command } from 'commander';
import { verb, wholeNumber, type Cli, type CommonOptions } from '../cli.js';
import { Devnet, devnetIn, type DevnetRecord } from '../devnet/devnet.js';
import type { DevnetNode } from '../devnet/devnet-node.js';
import type { Printer } from '../terminal/printer.js';

interface DevnetVerbOptions extends CommonOptions {
  readonly nodes?: number;
  readonly dir: string;
  readonly basePort?: number;
  readonly timeout: number;
}

const MAX_NODES = 16;

/** `it-chain devnet` */
export function devnetCommand(program: Command, cli: Cli): void {
  verb(program, 'devnet', 'a network of several nodes on this machine, each a process, until SIGINT or SIGTERM')
    .option('--nodes <count>', 'how many (default: as many as the folder has, else 4)', wholeNumber)
    .option('--dir <folder>', 'configs, data and logs; run again to go on with the same network', 'data/devnet')
    .option('--base-port <port>', 'peers on port + 10 i, APIs on port + 10 i + 1 (default 7000)', wholeNumber)
    .option('--timeout <ms>', 'limit until the network is ready, in ms', wholeNumber, 120_000)
    .action(async (options: DevnetVerbOptions) => {
      cli.exitCode = await runDevnet(options, cli);
    });
}

async function runDevnet(options: DevnetVerbOptions, cli: Cli): Promise<number> {
  const printer = cli.printer(options);
  const dir = resolve(cli.io.cwd, options.dir);
  const before = devnetIn(dir);
  const nodes = options.nodes ?? before?.nodes ?? 4;
  const basePort = options.basePort ?? before?.basePort ?? 7_000;
  if (nodes < 1 || nodes > MAX_NODES) throw failure('ERR_CLI_USAGE', `--nodes is ${nodes}, not 1 to ${MAX_NODES}`);
  if (basePort < 1 || basePort + 10 * nodes > 65_535)
    throw failure('ERR_CLI_USAGE', `--base-port ${basePort} leaves no room`);
  if (before !== undefined) checkSame(before, { nodes, basePort }, options.dir);
  const devnet = new Devnet(
    { nodes, dir, basePort, timeoutMs: options.timeout },
    {
      onStep: (what, ms) => {
        if (!printer.json)
          printer.line(`  ${printer.color.green('✓')} ${what.padEnd(40)} ${printer.color.dim(`${ms} ms`)}`);
      },
      onNode: (node) => {
        if (printer.json) printer.data(node.facts);
      },
    },
  );
  const stop = new AbortController();
  const release = cli.io.onSignal(() => {
    if (stop.signal.aborted) cli.io.exit(1);
    stop.abort();
  });
  try {
    if (!printer.json) printer.line(`${before === undefined ? 'making' : 'restarting'} a devnet of ${nodes} in ${dir}`);
    await devnet.start(stop.signal);
    if (!stop.signal.aborted) await untilStopped(devnet, stop.signal, printer, cli);
    return stop.signal.aborted ? 0 : 1;
  } finally {
    if (!printer.json) printer.line('stopping ...');
    await devnet.stop();
    release();
  }
}

/** Its nodes know each other by their ports, and decide with a quorum of all. @throws ERR_CLI_USAGE */
function checkSame(before: DevnetRecord, now: DevnetRecord, dir: string): void {
  const hint = `Leave it out to go on with that network, or make another one with --dir.`;
  if (now.basePort !== before.basePort) {
    throw failure('ERR_CLI_USAGE', `--base-port is ${now.basePort}, and the devnet in ${dir} has ${before.basePort}`, {
      hint,
    });
  }
  if (now.nodes < before.nodes) {
    throw failure('ERR_CLI_USAGE', `--nodes is ${now.nodes}, and the devnet in ${dir} has ${before.nodes}`, { hint });
  }
}

/** Says where the nodes are, and watches over them: one that ends is told, the others go on. */
async function untilStopped(devnet: Devnet, signal: AbortSignal, printer: Printer, cli: Cli): Promise<void> {
  if (printer.json) printer.data({ ready: true });
  else printer.text(endpoints(devnet.nodes, printer));
  const stopped = new Promise<void>((done) => {
    signal.addEventListener('abort', () => {
      done();
    });
  });
  const ends = devnet.nodes.map(async (node) => {
    const { name, how } = await node.ended;
    if (signal.aborted) return;
    if (printer.json) cli.io.err(`${JSON.stringify({ ended: name, how, log: node.logFile })}\n`);
    else {
      const again = `npm run it-chain -- start --config ${node.configFile}`;
      cli.io.err(
        `${name} ended: ${how}; its log is ${node.logFile}\nto start it again, in another terminal: ${again}\n`,
      );
    }
  });
  await Promise.race([stopped, Promise.all(ends)]);
}

function endpoints(nodes: readonly DevnetNode[], printer: Printer): string {
  const table = printer.table(
    ['name', 'node', 'peers', 'api', 'bus', 'pid'],
    nodes.map(({ facts }) => [facts.name, facts.nodeId, facts.peer, facts.api, facts.bus, String(facts.pid)]),
  );
  const api = nodes.at(-1)?.facts.api ?? '';
  return [
    '',
    table,
    '',
    'Try, in another terminal:',
    '  npm run it-chain -- kv put greeting hello --wait --api ' + (nodes[0]?.facts.api ?? ''),
    `  npm run it-chain -- kv get greeting --api ${api}`,
    'Ctrl-C stops them all.',
  ].join('\n');
}
