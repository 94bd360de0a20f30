import { expect } from 'chai';
import { errorCatalogue } from '@it-chain/contracts';
import { SystemClock, checkConfig, type Problem } from '@it-chain/kernel';
import { tmpdir } from 'node:os';
import { keysOf, plugins, type Shape } from './config-keys.js';

const clock = new SystemClock();
const all = keysOf();
const VALUES: readonly unknown[] = [
  null,
  true,
  'text',
  '',
  'x'.repeat(100_000),
  '\u0000\uFEFF\u202E',
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  [],
  [[[]]],
  {},
  { __proto__: null, constructor: 1 },
  JSON.parse(`${'{"a":'.repeat(8)}1${'}'.repeat(8)}`),
];

const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'number' ? 'number' : typeof value;

/** True where a value cannot be right for a key, whatever its range. */
function isWrongKind({ type, enum: choices }: Shape, value: unknown): boolean {
  if (choices !== undefined) return !choices.includes(value);
  if (type === undefined) return false;
  if (type === 'integer') return !Number.isInteger(value);
  return kindOf(value) !== type;
}

/** Puts one value at many paths. */
function sectionOf(paths: readonly (readonly string[])[], value: unknown): Record<string, unknown> {
  const section: Record<string, unknown> = {};
  for (const path of paths) {
    let at = section;
    for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
    at[path.at(-1) ?? ''] = value;
  }
  return section;
}

/** The problems of a config with this plugin alone; that others are missing is among them and is no matter here. */
async function problemsOf(
  use: unknown,
  paths: readonly (readonly string[])[],
  value: unknown,
): Promise<readonly Problem[]> {
  const config = { plugins: [{ use, with: sectionOf(paths, value) }] };
  const problems = await checkConfig({ cwd: tmpdir(), config, env: {}, defaults: { plugins: [] } }, clock);
  for (const { code, message } of problems) {
    expect(errorCatalogue).to.have.property(code);
    expect(message).to.not.match(/\n\s+at /);
    expect(message.length).to.be.lessThan(2_000);
  }
  return problems;
}

describe('every key of every section', function () {
  this.timeout(300_000);

  for (const plugin of plugins) {
    const keys = all.filter((key) => plugins[key.plugin] === plugin);

    it(`${plugin.name}: values of the wrong kind are refused by their paths, and none at all ends the check`, async () => {
      expect(keys).to.not.be.empty;
      for (const value of VALUES) {
        // All keys at once: all that is wrong is told at once.
        const problems = await problemsOf(
          plugin,
          keys.map(({ path }) => path),
          value,
        );
        for (const { path, shape } of keys.filter((key) => isWrongKind(key.shape, value))) {
          const place = `plugins[0].with.${path.join('.')}`;
          const found = problems.some((problem) => problem.path.startsWith(place));
          expect(found, `${place} of ${shape.type ?? '?'} took ${JSON.stringify(value).slice(0, 80)}`).to.equal(true);
        }
      }
    });

    it(`${plugin.name}: keys with a slip of the pen are refused, and the right ones are named`, async () => {
      const slips = keys.map(({ path }) => [...path.slice(0, -1), `${path.at(-1) ?? ''}x`]);
      const problems = await problemsOf(plugin, slips, 1);
      for (const slip of slips) {
        const found = problems.find(({ path }) => path.endsWith(`.${slip.join('.')}`));
        expect(found, slip.join('.')).to.not.equal(undefined);
        expect(`${found?.message ?? ''} ${found?.hint ?? ''}`).to.include((slip.at(-1) ?? '').slice(0, -1));
      }
    });
  }
});
