import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Scenario } from './support/scenario.js';

const folder = fileURLToPath(new URL('../test/scenarios/', import.meta.url));
const UPDATE = process.env['UPDATE'] === '1';

/** Blocks of `> command` lines, each followed by the trace it is expected to give. UPDATE=1 writes the traces anew. */
function replay(text: string): string {
  const scenario = new Scenario();
  const out: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line === '') out.push(line);
    else if (line.startsWith('> ')) out.push(line, ...scenario.run(line.slice(2)).map((trace) => `  ${trace}`));
  }
  return `${out.join('\n').trimEnd()}\n`;
}

describe('scenarios', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.txt'))) {
    it(name.replace('.txt', '').replaceAll('-', ' '), () => {
      const expected = readFileSync(folder + name, 'utf8');
      const actual = replay(expected);
      if (UPDATE) writeFileSync(folder + name, actual);
      else expect(actual).to.equal(expected);
    });
  }
});
