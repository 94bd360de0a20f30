import { createInterface } from 'node:readline/promises';
import { main } from './main.js';

const terminal = process.stdin.isTTY && process.stdout.isTTY;
const prompt = terminal ? createInterface({ input: process.stdin, output: process.stdout }) : undefined;
process.exitCode = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  cwd: process.cwd(),
  ask: prompt === undefined ? undefined : (question) => prompt.question(question),
});
prompt?.close();
