import { parseArgs } from 'node:util';
import { Coverage } from './coverage.js';

// Searches one decoder, in a process of its own: coverage is counted for what is loaded after it was started, so
// nothing that is looked at may be imported above.
const { values } = parseArgs({
  options: {
    target: { type: 'string', default: '' },
    seconds: { type: 'string', default: '60' },
    inputs: { type: 'string', default: String(Number.MAX_SAFE_INTEGER) },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const name = values.target;
const coverage = new Coverage(/\/packages\/[^/]+\/dist\/|\/test\/dist\/fuzz\/maze\.js$/);
await coverage.start();
const [{ targets }, { maze }, { inputsOf, keep, keepOnly }, { minimised, search }, { randomOf }] = await Promise.all([
  import('./targets.js'),
  import('./maze.js'),
  import('./corpus.js'),
  import('./search.js'),
  import('../support/random.js'),
]);
const target = [...(await targets()), maze].find((one) => one.name === name);
if (target === undefined) throw new Error(`there is no decoder ${name}`);

const corpus = inputsOf('corpus', name);
const budget = { seconds: Number(values.seconds), inputs: Number(values.inputs) };
const random = randomOf(Number(values.seed));
const { inputs, seconds, reached, before, after, finding } = await search(target, corpus, budget, { coverage, random });
const rate = Math.round(inputs / seconds);
say(
  `${name}: ${inputs} inputs (${rate}/s), ${after} characters of source ran, ${after - before} of them for the first time, by ${reached.length} inputs`,
);
if (values.keep) {
  const kept = await minimised(target, [...corpus, ...reached], coverage);
  say(`${name}: ${kept.length} inputs in ${keepOnly('corpus', name, kept)}`);
}
await coverage.stop();
if (finding !== undefined) {
  const place = values.keep ? keep('found', name, finding.input) : Buffer.from(finding.input).toString('hex');
  say(`${name}: FOUND after ${inputs} inputs, ${place}\n${finding.error}`);
  process.exitCode = 1;
}
