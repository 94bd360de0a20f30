import { createClient, type Client } from '@it-chain/client';
import { isItChainError } from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, verb, wholeNumber, type Cli, type CommonOptions, type NodeVerbOptions } from '../cli.js';
import { exportBlocks } from '../maintenance/export-blocks.js';
import { importBlocks } from '../maintenance/import-blocks.js';
import { repairChain, rollbackChain, type Maintained } from '../maintenance/repair-chain.js';
import { openStopped, stoppedSource, verifyOffline } from '../node/verify-offline.js';
import { runningSource, verifyOnline, type ChainVerdict } from '../node/verify-chain.js';
import { findNode } from '../node/find-node.js';
import { count } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';

/** `it-chain chain verify`, `export`, `import`, `rollback`, `repair` */
export function chainCommand(program: Command, cli: Cli): void {
  const chain = program.command('chain').description('the chain of a node');
  verifyVerb(chain, cli);
  exportVerb(chain, cli);
  importVerb(chain, cli);
  rollbackVerb(chain, cli);
  repairVerb(chain, cli);
}

function verifyVerb(chain: Command, cli: Cli): void {
  nodeVerb(
    chain,
    'verify',
    'check every stored value, every block and every certificate; also of a node that is stopped',
  ).action(async (options: NodeVerbOptions) => {
    const printer = cli.printer(options);
    const progress = progressOf(printer, 'verified');
    const verdict = await onOrOff<ChainVerdict>(options, cli, {
      running: (client) => verifyOnline(client, progress),
      stopped: () => verifyOffline(options, cli.io, progress),
    });
    if (verdict.problems.length > 0) cli.exitCode = 10;
    printer.result(verdict, () =>
      [
        `${verdict.online ? 'running node' : 'stopped node'}: ${count(verdict.entries)} stored values, ${count(verdict.bytes)} bytes`,
        `${count(verdict.verified)} of ${count(verdict.height)} blocks verified from the genesis on`,
        ...verdict.problems.map((problem) => printer.color.red(`damaged: ${problem}`)),
        verdict.problems.length === 0 ? printer.color.green('sound') : '',
      ]
        .filter((line) => line !== '')
        .join('\n'),
    );
  });
}

interface ExportVerbOptions extends NodeVerbOptions {
  readonly from?: number;
  readonly to?: number;
  readonly force?: boolean;
}

function exportVerb(chain: Command, cli: Cli): void {
  nodeVerb(chain, 'export <file>', 'write certified blocks to a file; also of a node that is stopped')
    .option('--from <height>', 'first block (else 1)', wholeNumber)
    .option('--to <height>', 'last block (else the tip)', wholeNumber)
    .option('--force', 'replace a file that is there')
    .action(async (path: string, options: ExportVerbOptions) => {
      const printer = cli.printer(options);
      const { from, to, force = false } = options;
      const wanted = { path, from, to, force, progress: progressOf(printer, 'exported') };
      const written = await onOrOff(options, cli, {
        running: async (client) => {
          const [{ height }, genesis] = await Promise.all([client.status(), client.genesis()]);
          return exportBlocks(runningSource(client, height, genesis), wanted, cli.io);
        },
        stopped: async () => {
          const node = await openStopped(options.config, 'chain export', cli.io);
          try {
            return await exportBlocks(await stoppedSource(node), wanted, cli.io);
          } finally {
            await node.stop();
          }
        },
      });
      printer.result({ file: path, ...written }, () => `blocks ${written.from} to ${written.to} are in ${path}`);
    });
}

interface StoppedVerbOptions extends CommonOptions {
  readonly config?: string;
  readonly yes?: boolean;
  readonly file?: string;
  readonly from?: readonly string[];
}

function importVerb(chain: Command, cli: Cli): void {
  verb(chain, 'import <file>', 'commit the blocks of a file in a node that is stopped, or in a new one')
    .option('--config <file>', 'the config of the node')
    .action(async (path: string, options: StoppedVerbOptions) => {
      const printer = cli.printer(options);
      const wanted = { config: options.config, path, progress: progressOf(printer, 'imported') };
      const done = await importBlocks(wanted, cli.io);
      printer.result(done, () => `height ${count(done.height)}, before ${count(done.before)}; network ${done.network}`);
    });
}

function rollbackVerb(chain: Command, cli: Cli): void {
  verb(chain, 'rollback <height>', 'take a node that is stopped back to a height; its guard of votes stays as it is')
    .option('--config <file>', 'the config of the node')
    .option('--yes', 'do it; the store as it was is kept beside the new one')
    .action(async (height: string, options: StoppedVerbOptions) => {
      const printer = cli.printer(options);
      const { config, yes = false } = options;
      const wanted = { config, yes, progress: progressOf(printer, 'executed') };
      const done = await rollbackChain(wholeNumber(height), wanted, cli.io);
      printer.result(done, () => report(done, printer));
    });
}

function repairVerb(chain: Command, cli: Cli): void {
  verb(chain, 'repair', 'build the store of a stopped node anew from its sound blocks, a file and other nodes')
    .option('--config <file>', 'the config of the node')
    .option('--file <file>', 'blocks that `chain export` wrote')
    .option('--from <host:port...>', 'client API of other nodes; what they send is verified')
    .option('--yes', 'do it; the store as it was is kept beside the new one')
    .action(async (options: StoppedVerbOptions) => {
      const printer = cli.printer(options);
      const { config, file, from, yes = false } = options;
      const done = await repairChain({ config, file, from, yes, progress: progressOf(printer, 'verified') }, cli.io);
      if (done.lost.length > 0) cli.exitCode = 1;
      printer.result(done, () => report(done, printer));
    });
}

function report({ problems, height, kept, taken, lost }: Maintained, printer: Printer): string {
  if (kept === undefined) return printer.color.green('sound: nothing was changed');
  const lines = [
    ...problems.map((problem) => `damaged: ${problem}`),
    ...Object.entries(taken).map(([source, blocks]) => `${count(blocks)} blocks from ${source}`),
    ...lost.map((what) => printer.color.red(`lost: ${what}`)),
    `the chain is at height ${count(height)}; what is above it is fetched from peers when the node starts`,
    `the store as it was is in ${kept}; remove it when all is well`,
  ];
  return lines.join('\n');
}

function progressOf(printer: Printer, done: string): (height: number, to: number) => void {
  return (height, to) => {
    printer.status(`${done} ${count(height)} of ${count(to)} blocks`);
  };
}

/** Through the API where the node runs; else by opening its store, which nobody else may hold then. */
async function onOrOff<T>(
  options: NodeVerbOptions,
  cli: Cli,
  work: { readonly running: (client: Client) => Promise<T>; readonly stopped: () => Promise<T> },
): Promise<T> {
  const client = createClient(await findNode(options, cli.io));
  try {
    const running = await client.status({ timeoutMs: 5_000 }).then(
      () => true,
      (error: unknown) => {
        if (options.api === undefined && isItChainError(error) && error.code === 'ERR_CLI_CANNOT_CONNECT') return false;
        throw error;
      },
    );
    return running ? await work.running(client) : await work.stopped();
  } finally {
    client.close();
  }
}
