import { failure, isItChainError, messageOf } from '@it-chain/contracts';
import { main } from './main.js';
import { codePlaceOf } from './terminal/code-place.js';
import { processIo } from './terminal/io.js';
import { reportError } from './terminal/report-error.js';

const io = processIo();
const options = { json: process.argv.includes('--json'), verbose: process.argv.includes('--verbose') };

// What nobody caught must not go on: the state of the process is unknown. Everything durable survives a sudden end.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    reportError(named(error), options, io);
    process.exit(1);
  });
}
// Whoever read the output has gone (`it-chain block follow | head`): then there is nothing left to do. But output that a
// full disk swallowed must not look like success.
const lost = (error: Error): void => {
  process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 11);
};
process.stdout.on('error', lost);
// What cannot be told on standard error is still told by the exit code.
process.stderr.on('error', () => undefined);

/** Which code threw it: in a node that may be a plugin, whose name is in the path. */
function named(error: unknown): unknown {
  const place = error instanceof Error ? codePlaceOf(error.stack) : undefined;
  if (place === undefined || isItChainError(error)) return error;
  return failure('ERR_NODE_UNCAUGHT', `${messageOf(error)}, thrown at ${place} and caught by nobody`, { cause: error });
}

const code = await main(process.argv, io);
// Pipes are written asynchronously: leave when the last line is out, whatever a library still keeps open.
process.stdout.write('', (error) => {
  if (error) lost(process.stdout.errored ?? error);
  process.stderr.write('', () => {
    process.exit(code);
  });
});
