import { failure } from '@it-chain/contracts';
import type { CommanderError } from 'commander';
import { Cli } from './cli.js';
import { createProgram } from './program.js';
import { processIo, type Io } from './terminal/io.js';
import { reportError } from './terminal/report-error.js';

/**
 * Runs one command line, `argv` as in `process.argv`, and gives the exit code. Never throws: what goes wrong is told on
 * standard error, in three lines or as one JSON line with --json.
 */
export async function main(argv: readonly string[] = process.argv, io: Io = processIo()): Promise<number> {
  const cli = new Cli(io);
  const words = argv.slice(2);
  const report = { json: words.includes('--json'), verbose: words.includes('--verbose') };
  try {
    await (await createProgram(cli, words[0])).parseAsync([...argv]);
    return cli.exitCode;
  } catch (error) {
    if (isCommander(error)) {
      // Help and version end this way too. Without a verb the help was shown, which is still no use of the command.
      if (error.exitCode === 0) return 0;
      if (error.code === 'commander.help') return 2;
      return reportError(usageError(error), report, io);
    }
    return reportError(error, report, io);
  }
}

function usageError(error: CommanderError): Error {
  const [what = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const hint =
    suggestion === undefined ? 'See `it-chain help`, or `it-chain help VERB`.' : suggestion.replace(/[()]/g, '');
  return failure('ERR_CLI_USAGE', what, { hint, cause: error });
}

function isCommander(error: unknown): error is CommanderError {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && code.startsWith('commander.');
}
