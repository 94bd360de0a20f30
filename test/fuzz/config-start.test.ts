import { expect } from 'chai';
import fc from 'fast-check';
import { existsSync, writeFileSync } from 'node:fs';
import { Server } from 'node:net';
import { join } from 'node:path';
import sinon from 'sinon';
import { main } from '@it-chain/cli';
import { errorCatalogue } from '@it-chain/contracts';
import { scratch } from '../support/network.js';
import { keysOf, plugins, type Key } from './config-keys.js';
import { EDIT_KINDS, mutate, type Edit } from './mutate.js';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 60);

interface Told {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly exit: number;
}

/** A config that a node could start with; everything below is a change to it. */
const GOOD = {
  node: { name: 'alice' },
  log: { level: 'warn' },
  plugins: plugins.map(({ name }) => ({ use: `@it-chain/plugin-${name}` })),
};
const JSON_TEXT = JSON.stringify(GOOD, null, 2);
const YAML_TEXT = [
  'node:',
  '  name: alice',
  'log: { level: warn }',
  'plugins:',
  ...plugins.map(({ name }) => `  - use: '@it-chain/plugin-${name}'`),
  '',
].join('\n');

/** One value at some places of the config. */
function withValue(places: readonly Key[], value: unknown): object {
  const sectionOf = (plugin: number): Record<string, unknown> => {
    const section: Record<string, unknown> = {};
    for (const { path } of places.filter((key) => key.plugin === plugin)) {
      let at = section;
      for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
      at[path.at(-1) ?? ''] = value;
    }
    return section;
  };
  return { ...GOOD, plugins: GOOD.plugins.map((entry, index) => ({ ...entry, with: sectionOf(index) })) };
}

const keys = keysOf();
const at = ({ plugin, path }: Key): string => `plugins[${plugin}].with.${path.join('.')}`;
const word = (key: string): string => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
const variableOf = ({ plugin, path }: Key): string =>
  `IT_CHAIN_${[plugins[plugin]?.name ?? '', ...path].map(word).join('__')}`;

describe('a node that is told nonsense does not start (F6)', function () {
  this.timeout(300_000);
  const folder = scratch();
  let listened: sinon.SinonStub;

  before(() => {
    listened = sinon.stub(Server.prototype, 'listen').throws(new Error('it listened'));
  });
  after(() => {
    listened.restore();
    folder.remove();
  });

  /** Runs a line of the command in this process. */
  async function run(words: readonly string[], env: Record<string, string> = {}) {
    let [out, err] = ['', ''];
    const code = await main(['node', 'it-chain', ...words, '--json'], {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      env,
      cwd: folder.dir,
      tty: false,
      onSignal: () => () => undefined,
      exit: (status) => {
        throw new Error(`it ended the process with ${status}`);
      },
    });
    return { code, out, err };
  }

  /** Starts a node with this config. It must be refused, and nothing must have been touched. */
  async function refused(name: string, content: string | Uint8Array, env: Record<string, string> = {}): Promise<Told> {
    const file = join(folder.dir, name);
    writeFileSync(file, content);
    const { code, err } = await run(['start', '--config', file], env);
    const line = err.trim().split('\n').at(-1) ?? '';
    expect(code, line.slice(0, 500)).to.equal(2);
    const { error } = JSON.parse(line) as { readonly error: Told };
    expect(errorCatalogue).to.have.property(error.code);
    expect(error.exit).to.equal(2);
    expect(error.hint).to.not.equal('');
    expect(error.message).to.not.match(/\n\s+at /);
    expect(listened.callCount, 'sockets that were opened').to.equal(0);
    expect(existsSync(join(folder.dir, 'data')), 'a data folder').to.equal(false);
    return error;
  }

  const texts = { 'a.yaml': YAML_TEXT, 'a.json': JSON_TEXT };
  const damages: readonly (readonly [string, (text: string) => Uint8Array, string])[] = [
    ['the byte order mark of UTF-8', (text) => Buffer.from(`\uFEFF${text}`), 'ERR_CONFIG_ENCODING'],
    ['UTF-16 with its mark', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'), 'ERR_CONFIG_ENCODING'],
    ['UTF-16, the other way round', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(), 'ERR_CONFIG_ENCODING'],
    ['UTF-16 without a mark', (text) => Buffer.from(text, 'utf16le'), 'ERR_CONFIG_ENCODING'],
    ['Latin-1', (text) => Buffer.from(text.replace('alice', 'Ren\xe9'), 'latin1'), 'ERR_CONFIG_ENCODING'],
    ['a character cut in two', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xe2, 0x82])]), 'ERR_CONFIG_ENCODING'], // prettier-ignore
    ['an overlong form', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xc0, 0x80])]), 'ERR_CONFIG_ENCODING'], // prettier-ignore
    ['a surrogate', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xed, 0xa0, 0x80])]), 'ERR_CONFIG_ENCODING'], // prettier-ignore
    ['a NUL', (text) => Buffer.from(text.replace('alice', 'al\0ice')), 'ERR_CONFIG_ENCODING'],
    ['2 MiB of spaces', (text) => Buffer.concat([Buffer.from(text), Buffer.alloc(2 << 20, 0x20)]), 'ERR_CONFIG_FORMAT'],
  ];
  for (const [file, text] of Object.entries(texts)) {
    for (const [title, damage, code] of damages) {
      it(`${file} in ${title} is refused by its name`, async () => {
        const error = await refused(file, damage(text));
        expect(error.code).to.equal(code);
        expect(error.message).to.include(join(folder.dir, file));
      });
    }
  }

  it('every key that stands twice is refused by file and line', async () => {
    for (const [index, key] of keys.entries()) {
      const name = JSON.stringify(key.path.at(-1));
      const once = JSON.stringify(withValue([key], null), null, 1);
      const twice = once.replace(new RegExp(`^ *${name}: null`, 'm'), `${name}: 1,\n${name}: 1`);
      const line = twice.split('\n').findLastIndex((one) => one.startsWith(`${name}: 1`)) + 1;
      const file = index % 2 === 0 ? 'a.json' : 'a.yaml';
      const error = await refused(file, twice);
      expect(error.code, at(key)).to.equal('ERR_CONFIG_SYNTAX');
      expect(error.message, at(key))
        .to.include(`${join(folder.dir, file)}:${line}`)
        .and.match(/unique/);
    }
  });

  const HUGE: Readonly<Record<string, unknown>> = {
    'a text of 4,000 letters': 'x'.repeat(4_000),
    'a number beyond all bounds': 1e308,
    'a list of 100': Array.from({ length: 100 }, () => []),
  };
  for (const [title, value] of Object.entries(HUGE)) {
    it(`every key with ${title} is refused by its path, what was expected and what came`, async () => {
      const wrong = keys.filter(({ shape }) => ['integer', 'number', 'boolean'].includes(shape.type ?? ''));
      const { message } = await refused('a.json', JSON.stringify(withValue(wrong, value)));
      for (const key of wrong) {
        const own = message.split('\n').find((line) => line.includes(` ${at(key)}:`)) ?? '';
        if (own === '' && typeof value === 'number' && key.shape.maximum === undefined) continue;
        expect(own, at(key)).to.include(join(folder.dir, 'a.json'));
        expect(own, at(key)).to.match(/\(expected .+, got .+\)/);
        expect(own.length, at(key)).to.be.lessThan(500);
      }
    });
  }

  it('one text that fills the file, more values, or more levels than any config has: refused in a bearable message', async () => {
    const wrong = keys.filter(({ shape }) => shape.type === 'integer').slice(0, 1);
    const text = JSON.stringify(withValue(wrong, 'deep'));
    const huge = await refused('a.json', text.replace('deep', 'x'.repeat(1_000_000)));
    expect(huge.message.length).to.be.lessThan(1_000);
    const many = await refused('a.json', text.replace('"deep"', `[${'1,'.repeat(25_000)}1]`));
    expect(many.message).to.match(/more than 20000 values/);
    for (const depth of [100, 2_000]) {
      const deep = await refused('a.json', text.replace('"deep"', '['.repeat(depth) + ']'.repeat(depth)));
      expect(deep.code).to.match(/^ERR_CONFIG_(FORMAT|SYNTAX)$/);
    }
  });

  const NONSENSE: readonly string[] = [
    'seven',
    '{',
    '[1',
    '*anchor',
    '&a [*a]',
    '- 1\n- 2',
    '{ a: 1, a: 2 }',
    '"\\ud800"',
    '!!js/function x',
    '[[[[[[1]]]]]]',
    `${'['.repeat(30)}1`,
    'x'.repeat(10_000),
  ];
  for (const text of NONSENSE) {
    it(`every key set to ${JSON.stringify(text.slice(0, 20))} by the environment is refused by its variable`, async () => {
      // Where text may stand, any text may.
      const wrong = keys.filter(({ shape }) => ['integer', 'number', 'boolean'].includes(shape.type ?? ''));
      const env = Object.fromEntries(wrong.map((key) => [variableOf(key), text]));
      const { message } = await refused('a.yaml', YAML_TEXT, env);
      // Each by itself, so that none stands behind another.
      expect(message.length).to.be.lessThan(wrong.length * 2_000);
      for (const key of wrong) {
        const own = message.split('\n').find((line) => line.includes(`${variableOf(key)} `));
        expect(own, variableOf(key)).to.include(at(key));
      }
    });
  }

  it('every variable that means nothing is refused by its name', async () => {
    const names = keys.map((key) => `${variableOf(key)}X`);
    const { message } = await refused('a.yaml', YAML_TEXT, Object.fromEntries(names.map((name) => [name, '1'])));
    for (const name of names) expect(message).to.include(name);
  });

  it('a file that was changed at any byte is a config or a list of problems with places', async () => {
    const edit: fc.Arbitrary<Edit> = fc.record({
      kind: fc.constantFrom(...EDIT_KINDS),
      at: fc.nat(70_000),
      value: fc.nat(255),
    });
    const changed = fc.tuple(fc.constantFrom(...Object.entries(texts)), fc.array(edit, { minLength: 1, maxLength: 4 }));
    const property = fc.asyncProperty(changed, async ([[name, text], edits]) => {
      const file = join(folder.dir, name);
      writeFileSync(file, mutate(Buffer.from(text), edits));
      const { code, out, err } = await run(['config', 'check', '--config', file]);
      expect(code, err).to.be.oneOf([0, 2]);
      expect(err).to.equal('');
      const { valid, problems } = JSON.parse(out) as { valid: boolean; problems: { code: string; source?: string }[] };
      expect(valid).to.equal(code === 0);
      for (const problem of problems) {
        expect(errorCatalogue).to.have.property(problem.code);
        expect(problem.source, problem.code).to.equal(file);
      }
    });
    await fc.assert(property, { numRuns: RUNS });
  });
});
