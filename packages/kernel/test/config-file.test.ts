import { expect } from 'chai';
import { hasCode } from '@it-chain/contracts';
import { exitCodeOf, loadConfig } from '@it-chain/kernel';
import { clock, makePlugin, World } from './support/world.js';

describe('config file', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.close());

  const plain = { plugins: [{ use: makePlugin('plain') }] };
  const load = (more = {}) => loadConfig(world.options({ defaults: plain, ...more }), clock);

  const contents: Readonly<Record<string, string>> = {
    yaml: 'node: { name: alice }\n',
    yml: 'node:\n  name: alice\n',
    json: '{ "node": { "name": "alice" } }',
    js: 'export default { node: { name: "alice" } };',
    mjs: 'export default { node: { name: "alice" } };',
    cjs: 'module.exports = { node: { name: "alice" } };',
    ts: 'const name: string = "alice";\nexport default { node: { name } };',
  };

  for (const [kind, content] of Object.entries(contents)) {
    it(`is read as .${kind}, found or named, and its folder is the base of paths`, async () => {
      if (kind === 'js') world.write('package.json', '{ "type": "module" }');
      const file = world.write(`it-chain.config.${kind}`, content);
      const found = await load();
      expect(found.file).to.equal(file);
      expect(found.config.node).to.deep.equal({ name: 'alice', dataDir: `${world.folder}/data/alice` });
      const other = world.write(`deep/other.${kind}`, content);
      if (kind === 'js') world.write('deep/package.json', '{ "type": "module" }');
      const named = await load({ file: `deep/other.${kind}` });
      expect(named.file).to.equal(other);
      expect(named.config.node.dataDir).to.equal(`${world.folder}/deep/data/alice`);
    });
  }

  it('is not looked for in a folder above', async () => {
    world.write('it-chain.config.yaml', 'node: { name: stranger }');
    world.write('inner/keep', '');
    const loaded = await load({ cwd: `${world.folder}/inner` });
    expect(loaded.file).to.equal(undefined);
    expect(loaded.config.node.name).to.equal('node');
  });

  it('may be absent or empty: then the defaults stand, the list of plugins among them', async () => {
    expect((await load()).plugins.map(({ plugin }) => plugin.name)).to.deep.equal(['plain']);
    world.write('it-chain.config.yaml', '# nothing\n');
    const loaded = await load();
    expect(loaded.plugins.map(({ plugin }) => plugin.name)).to.deep.equal(['plain']);
    expect(loaded.config.bus).to.deep.equal({ listen: '127.0.0.1:0' });
  });

  interface Bad {
    readonly title: string;
    readonly name?: string;
    readonly content: string | Uint8Array;
    readonly code: string;
    readonly line?: number;
    readonly says: RegExp;
  }
  const deep = (count: number) => '['.repeat(count) + ']'.repeat(count);
  const aliases = Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${`*a${i - 1},`.repeat(i === 0 ? 0 : 9)}]`);
  const bad: readonly Bad[] = [
    {
      title: 'a key twice',
      content: 'node:\n  name: a\n  name: b\n',
      code: 'ERR_CONFIG_SYNTAX',
      line: 3,
      says: /unique/,
    },
    {
      title: 'a key twice, deep',
      content: 'plugins:\n  - use: ./x.mjs\n    with: { a: 1, a: 2 }\n',
      code: 'ERR_CONFIG_SYNTAX',
      line: 3,
      says: /unique/,
    },
    {
      title: 'a key twice in JSON',
      name: 'it-chain.config.json',
      content: '{\n"node": {},\n"node": {} }',
      code: 'ERR_CONFIG_SYNTAX',
      line: 3,
      says: /unique/,
    },
    { title: 'a bracket left open', content: 'node: {\n  name: a\n', code: 'ERR_CONFIG_SYNTAX', says: /flow/i },
    { title: 'a tab as indentation', content: 'node:\n\tname: a\n', code: 'ERR_CONFIG_SYNTAX', line: 2, says: /tab/i },
    { title: 'two documents', content: 'node: {}\n---\nnode: {}\n', code: 'ERR_CONFIG_SYNTAX', says: /document/ },
    { title: 'an unknown alias', content: 'node: *nobody\n', code: 'ERR_CONFIG_SYNTAX', line: 1, says: /alias/i },
    {
      title: 'aliases that multiply',
      content: `${aliases.join('\n')}\n`,
      code: 'ERR_CONFIG_FORMAT',
      says: /more than 20000 values/,
    },
    {
      title: 'nesting of 100 levels',
      content: `node: ${deep(100)}`,
      code: 'ERR_CONFIG_FORMAT',
      says: /deeper than 64/,
    },
    {
      title: 'an object that contains itself',
      name: 'it-chain.config.mjs',
      content: 'const a = {}; a.a = a; export default a;',
      code: 'ERR_CONFIG_FORMAT',
      says: /deeper/,
    },
    { title: 'nesting beyond the stack', content: `node: ${deep(20_000)}`, code: 'ERR_CONFIG_SYNTAX', says: /./ },
    {
      title: 'YAML in a .json file',
      name: 'it-chain.config.json',
      content: 'node: {}\n',
      code: 'ERR_CONFIG_SYNTAX',
      says: /JSON/,
    },
    {
      title: 'a trailing comma in JSON',
      name: 'it-chain.config.json',
      content: '{ "node": {}, }',
      code: 'ERR_CONFIG_SYNTAX',
      line: 1,
      says: /./,
    },
    {
      title: 'a byte order mark',
      content: Buffer.from('\ufeffnode: {}\n'),
      code: 'ERR_CONFIG_ENCODING',
      line: 1,
      says: /byte order mark of UTF-8/,
    },
    {
      title: 'UTF-16',
      content: Buffer.from('\ufeffnode: {}\n', 'utf16le'),
      code: 'ERR_CONFIG_ENCODING',
      line: 1,
      says: /UTF-16/,
    },
    {
      title: 'UTF-16 without a mark',
      content: Buffer.from('node: {}\n', 'utf16le'),
      code: 'ERR_CONFIG_ENCODING',
      line: 1,
      says: /NUL/,
    },
    {
      title: 'Latin-1',
      content: Buffer.from('node:\n  name: Jos\xe9\n', 'latin1'),
      code: 'ERR_CONFIG_ENCODING',
      line: 2,
      says: /0xe9/,
    },
    {
      title: 'a cut character',
      content: Buffer.from([...Buffer.from('node: {} # '), 0xe2, 0x82]),
      code: 'ERR_CONFIG_ENCODING',
      line: 1,
      says: /0xe2/,
    },
    {
      title: 'a file of 2 MiB',
      content: `# ${'x'.repeat(2 * 1024 * 1024)}`,
      code: 'ERR_CONFIG_FORMAT',
      says: /1048576/,
    },
    {
      title: 'a throw',
      name: 'it-chain.config.mjs',
      content: '\nthrow new Error("no luck");',
      code: 'ERR_CONFIG_LOAD',
      line: 2,
      says: /no luck/,
    },
    {
      title: 'a syntax error in JavaScript',
      name: 'it-chain.config.mjs',
      content: '\nexport default {',
      code: 'ERR_CONFIG_LOAD',
      says: /./,
    },
    {
      title: 'an export that is no object',
      name: 'it-chain.config.mjs',
      content: 'export default 5;',
      code: 'ERR_CONFIG_LOAD',
      says: /number/,
    },
    {
      title: 'no default export',
      name: 'it-chain.config.ts',
      content: 'export const a = 1 as const;\nexport default null;',
      code: 'ERR_CONFIG_LOAD',
      says: /null/,
    },
  ];

  for (const { title, name = 'it-chain.config.yaml', content, code, line, says } of bad) {
    it(`with ${title} is ${code} and names the file`, async () => {
      const file = world.write(name, content);
      const error = await world.refused({ defaults: plain });
      expect(error.code, error.message).to.equal(code);
      expect(error.message).to.contain(file).and.match(says);
      if (line !== undefined) expect(error.problems[0]?.line, error.message).to.equal(line);
      expect(error.hint).to.be.a('string').and.not.equal('');
      expect(exitCodeOf(error)).to.equal(2);
      expect(world.has('data')).to.equal(false);
    });
  }

  it('of two kinds in one folder is ERR_CONFIG_AMBIGUOUS', async () => {
    world.write('it-chain.config.yaml', '');
    world.write('it-chain.config.json', '{}');
    const error = await world.refused({ defaults: plain });
    expect(hasCode(error, 'ERR_CONFIG_AMBIGUOUS')).to.equal(true);
    expect(error.message).to.contain('it-chain.config.yaml, it-chain.config.json');
  });

  it('that is named and missing, a folder, or of another kind is refused by name', async () => {
    world.write('folder.yaml/keep', '');
    const kinds = {
      'gone.yaml': 'ERR_CONFIG_NOT_FOUND',
      'folder.yaml': 'ERR_CONFIG_FORMAT',
      'a.toml': 'ERR_CONFIG_FORMAT',
    };
    world.write('a.toml', '');
    for (const [file, code] of Object.entries(kinds)) {
      const error = await world.refused({ defaults: plain, file });
      expect(error.code).to.equal(code);
      expect(error.message).to.contain(`${world.folder}/${file}`);
    }
  });
});
