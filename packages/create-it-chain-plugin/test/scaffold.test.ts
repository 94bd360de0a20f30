import { expect } from 'chai';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KINDS, main } from 'create-it-chain-plugin';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
/** No line of a plugin that is made may be a puzzle, so there are few: what every plugin of a role needs is in contracts. */
const MAX_LINES = 60;
const isCode = (line: string): boolean => !/^\s*(?:$|\/\/|\/\*|\*)/.test(line);

describe('npm create it-chain-plugin', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'it-chain-create-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(words: string[], answers?: string[]): Promise<{ code: number; out: string; err: string }> {
    let [out, err] = ['', ''];
    const code = await main(words, {
      out: (text) => (out += text),
      err: (text) => (err += text),
      cwd: folder,
      ask: answers === undefined ? undefined : () => Promise.resolve(answers.shift() ?? ''),
    });
    return { code, out, err };
  }
  const read = (...path: string[]): string => readFileSync(join(folder, ...path), 'utf8');
  const everyFile = (path: string): string[] =>
    readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));

  for (const { name, description } of KINDS) {
    it(`makes a package of kind ${name}, with everything in it that a package needs`, async () => {
      const { code, out } = await run(['@acme/thing', '--kind', name, '--no-interactive', '--json']);
      expect(code).to.equal(0);
      const made = JSON.parse(out) as { folder: string; files: string[] };
      expect(made.folder).to.equal(join(folder, 'thing'));
      expect(made.files).to.include.members([
        '.github/workflows/ci.yml',
        '.gitignore',
        'README.md',
        'it-chain.config.yaml',
        'package.json',
        'src/index.ts',
        'test/compliance.test.ts',
        'tsconfig.json',
      ]);
      expect(made.files.filter((file) => file.startsWith('test/')).length).to.be.greaterThan(1);
      const manifest = JSON.parse(read('thing', 'package.json')) as Record<string, unknown>;
      expect(manifest).to.deep.include({ name: '@acme/thing', description, keywords: ['it-chain-plugin'] });
      expect(manifest['peerDependencies']).to.have.property('@it-chain/contracts');
      expect(manifest['dependencies']).to.equal(undefined);
      expect(read('thing', 'src', 'index.ts')).to.include("name: '@acme/thing'");
      for (const text of everyFile(join(folder, 'thing'))) {
        expect(text).to.not.match(/my-plugin|DESCRIPTION|ROLE_LINE|NOTES/);
      }
    });
  }

  for (const { name } of KINDS) {
    it(`makes a plugin of kind ${name} of at most ${MAX_LINES} lines, not counting blank ones and comments`, async () => {
      await run(['thing', '--kind', name, '--no-interactive']);
      const lines = everyFile(join(folder, 'thing', 'src')).flatMap((text) => text.split('\n'));
      expect(lines.filter(isCode).length).to.be.within(10, MAX_LINES);
    });
  }

  it('asks on a terminal for what is not given, and takes what it proposes', async () => {
    expect(await run([], ['', 'observer'])).to.include({ code: 0 });
    expect(read('my-plugin', 'package.json')).to.include('"my-plugin"');
    expect(existsSync(join(folder, 'my-plugin', 'src', 'journal.ts'))).to.equal(true);
    const { out } = await run(['other'], ['']);
    expect(out).to.include('cd other').and.to.include('npm run dev');
    expect(read('other', 'README.md')).to.match(/^# other/);
  });

  it('takes a folder and a description', async () => {
    const said = `Says "hello" for $& and $'`;
    const words = ['thing', '-k', 'api', '--dir', 'deep/down', '--description', said, '--no-interactive'];
    expect((await run(words)).code).to.equal(0);
    expect((JSON.parse(read('deep', 'down', 'package.json')) as { description: string }).description).to.equal(said);
    expect(read('deep', 'down', 'README.md')).to.include(`\n${said}\n`);
  });

  it('refuses what cannot be, says what to do, and touches nothing', async () => {
    writeFileSync(join(folder, 'here'), 'mine');
    for (const [words, told] of [
      [[], 'no name'],
      [['Not A Name', '--kind', 'api'], 'cannot be the name'],
      [['../up', '--kind', 'api'], 'cannot be the name'],
      [['thing'], 'no kind'],
      [['thing', '--kind', 'database'], 'no kind "database"'],
      [['one', 'two', '--kind', 'api'], '2 names'],
      [['thing', '--kind', 'api', '--wat'], '--wat'],
      [['thing', '--kind', 'api', '--dir', '.'], 'not empty'],
    ] as const) {
      const { code, err } = await run([...words, '--no-interactive']);
      expect(code, words.join(' ')).to.equal(2);
      expect(err).to.include(told).and.to.include('try:');
    }
    expect(readdirSync(folder)).to.deep.equal(['here']);
  });

  it('is a command of a clone before it is built, which then says what to do', () => {
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { bin: Record<string, string> };
    for (const [name, path] of Object.entries(manifest.bin)) {
      // As npm packs it, but for what the compiler makes.
      const clone = join(folder, 'clone');
      cpSync(join(home, path), join(clone, path));
      const args = ['--input-type=module', '-e', `await import(${JSON.stringify(join(clone, path))})`];
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect(status).to.equal(1);
      expect(stderr, name).to.include('not built yet').and.to.not.include(' at ');
      const built = spawnSync(join(home, path), ['--version'], { encoding: 'utf8' });
      expect(built.stdout, built.stderr).to.match(/^\d+\.\d+\.\d+\n$/);
    }
  });

  it('lists its kinds, and says its version', async () => {
    const { out } = await run(['--list', '--json']);
    expect((JSON.parse(out) as { name: string }[]).map(({ name }) => name)).to.deep.equal(
      KINDS.map(({ name }) => name),
    );
    expect((await run(['--version'])).out).to.match(/^\d+\.\d+\.\d+\n$/);
    for (const { name } of KINDS) expect((await run(['--help'])).out).to.include(name);
  });
});
