#!/usr/bin/env node
import { main } from './main.js';
import { processIo } from './terminal/io.js';
import { reportError } from './terminal/report-error.js';

const io = processIo();
const options = { json: process.argv.includes('--json'), verbose: process.argv.includes('--verbose') };

// What nobody caught must not go on: the state of the process is unknown. Everything durable survives a sudden end.
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    reportError(error, options, io);
    process.exit(1);
  });
}
// Whoever read the output has gone (`it-chain block follow | head`): then there is nothing left to do.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}

const code = await main(process.argv, io);
// Pipes are written asynchronously: leave when the last line is out, whatever a library still keeps open.
process.stdout.write('', () => {
  process.stderr.write('', () => {
    process.exit(code);
  });
});
