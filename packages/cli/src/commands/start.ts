import { startNode, type RunningNode } from '@it-chain/kernel';
import { failure } from '@it-chain/contracts';
import type { Command } from 'commander';
import { verb, type Cli, type CommonOptions } from '../cli.js';
import { connectBus } from '../node/connect-bus.js';
import { configOptions, version } from '../node/defaults.js';
import { watchExit } from '../node/exit-watch.js';
import { nextCommands, readyFacts, type ReadyFacts } from '../node/ready-facts.js';
import { exitCode, reportError } from '../terminal/report-error.js';
import type { Printer } from '../terminal/printer.js';

interface StartOptions extends CommonOptions {
  readonly config?: string;
  readonly solo?: boolean;
  readonly only?: string;
  readonly acceptDoubleSignRisk?: boolean;
  readonly name?: string;
  readonly dataDir?: string;
  readonly logLevel?: string;
}

/** `it-chain start` */
export function startCommand(program: Command, cli: Cli): void {
  verb(program, 'start', 'start a node and run it until SIGINT or SIGTERM')
    .option('--config <file>', 'the config (else it-chain.config.* in this folder, else defaults)')
    .option('--solo', 'found a network of this node alone at once')
    .option('--only <roles>', 'run these roles only, such as txpool,application; the others run elsewhere')
    .option('--accept-double-sign-risk', 'vote although the guard of signed votes is damaged or behind')
    .option('--name <name>', 'name of the node, instead of node.name')
    .option('--data-dir <folder>', 'data directory, instead of node.dataDir')
    .option('--log-level <level>', 'silent, error, warn, info or debug, instead of log.level')
    .action(async (options: StartOptions) => {
      cli.exitCode = await runNode(options, cli);
    });
}

/** Runs a node to its end; gives the exit code. */
async function runNode(options: StartOptions, cli: Cli): Promise<number> {
  const { io } = cli;
  const printer = cli.printer(options);
  const stopping = stopSignal(cli);
  const only = options.only?.split(',').map((role) => role.trim());
  const unwatch = watchExit((error) => {
    reportError(error, { json: printer.json, verbose: options.verbose ?? false }, io);
  });
  if (!printer.json) printer.line(printer.color.bold(`it-chain ${version()}`));
  try {
    const node = await startNode({
      ...configOptions(io, { config: options.config, only, flags: flagsOf(options) }),
      version: version(),
      solo: options.solo,
      acceptDoubleSignRisk: options.acceptDoubleSignRisk,
      connectBus,
      signal: stopping.signal,
      onStage: ({ name, ms }) => {
        const rounded = Math.round(ms);
        if (printer.json) printer.data({ stage: name, ms: rounded });
        else printer.line(`  ${printer.color.green('✓')} ${name.padEnd(8)} ${printer.color.dim(`${rounded} ms`)}`);
      },
      // With --json standard output is for facts alone.
      ...(printer.json ? { logDestination: { write: io.err } } : {}),
    });
    return await runToEnd(node, options, { cli, printer, stopping });
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    throw error;
  } finally {
    unwatch();
    stopping.release();
  }
}

async function runToEnd(
  node: RunningNode,
  options: StartOptions,
  { cli, printer, stopping }: { readonly cli: Cli; readonly printer: Printer; readonly stopping: Stopping },
): Promise<number> {
  const facts = await readyFacts(node);
  if (printer.json) printer.data({ ready: true, ...facts });
  else printer.text(summary(facts, options, cli, printer));
  const failed = await Promise.race([node.failed, stopping.stopped.then(() => undefined)]);
  if (!printer.json && failed === undefined) printer.line('stopping ...');
  const problems = await node.stop();
  const report = { json: printer.json, verbose: options.verbose ?? false };
  for (const problem of problems) reportError(problem, report, cli.io);
  if (failed === undefined) return problems.length === 0 ? 0 : 1;
  const { plugin, error } = failed;
  reportError(
    failure('ERR_PLUGIN_FAILED', `the plugin ${plugin} ended the node: ${error.message}`, { cause: error }),
    report,
    cli.io,
  );
  return exitCode(failed);
}

interface Stopping {
  readonly signal: AbortSignal;
  readonly stopped: Promise<void>;
  release(): void;
}

/** The first signal stops, the second ends the process at once. So does the end of a parent that started it as its child. */
function stopSignal({ io }: Cli): Stopping {
  const controller = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    controller.signal.addEventListener('abort', () => {
      resolve();
    });
  });
  const releaseSignals = io.onSignal(() => {
    if (controller.signal.aborted) io.exit(1);
    controller.abort();
  });
  const orphaned = (): void => {
    controller.abort();
  };
  process.on('disconnect', orphaned);
  const release = (): void => {
    releaseSignals();
    process.off('disconnect', orphaned);
  };
  return { signal: controller.signal, stopped, release };
}

function flagsOf({ name, dataDir, logLevel }: StartOptions): { flag: string; path: string; value: string }[] {
  return [
    { flag: '--name', path: 'node.name', value: name },
    { flag: '--data-dir', path: 'node.dataDir', value: dataDir },
    { flag: '--log-level', path: 'log.level', value: logLevel },
  ].flatMap((flag) => (flag.value === undefined ? [] : [{ ...flag, value: flag.value }]));
}

function summary(facts: ReadyFacts, options: StartOptions, cli: Cli, printer: Printer): string {
  const { color } = printer;
  const rows: [string, string][] = [
    ['node', `${facts.nodeId} ${color.dim(`"${facts.name}"`)}`],
    ['peers', facts.peer ?? 'in another process'],
    ['api', facts.api ?? 'in another process'],
    ['bus', facts.bus],
    ['data', facts.dataDir],
    ['network', facts.network ?? 'none yet'],
    ['leader', facts.leader ?? 'none yet'],
  ];
  const parts = ['', printer.pairs(rows)];
  const unfounded = facts.network === null && facts.api !== null;
  const ours = options.config?.replaceAll('\\', '/').endsWith('config/first-node.yaml') === true;
  if (unfounded && (cli.io.tty || ours)) parts.push('', nextCommands(facts, options.config, cli.io));
  return parts.join('\n');
}
