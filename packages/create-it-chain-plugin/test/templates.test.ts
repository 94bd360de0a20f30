// Are the templates still right for contracts and the testkit as they are? The slow tests run them; this only compiles them.
import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KINDS } from 'create-it-chain-plugin';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const templates = join(root, 'packages', 'create-it-chain-plugin', 'templates');
const sources = KINDS.flatMap(({ name }) =>
  ['src', 'test'].flatMap((part) => readdirSync(join(templates, name, part)).map((file) => join(name, part, file))),
).filter((file) => file.endsWith('.ts'));

describe('the templates', function () {
  this.timeout(60_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'it-chain-templates-')));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** One run of the compiler, with the settings that a scaffolded package has. */
  function compile(files: readonly string[]): { readonly status: number | null; readonly out: string } {
    const compilerOptions = { noEmit: true, rootDir: '/', typeRoots: [join(root, 'node_modules', '@types')] };
    const config = { extends: join(templates, 'common', 'tsconfig.json'), compilerOptions, files, include: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules', 'typescript7', 'bin', 'tsc');
    const args = [tsc, '-p', folder, '--listFiles', '--pretty', 'false'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    return { status, out: stdout + stderr };
  }

  it('compile against contracts and the testkit as they are', () => {
    const { status, out } = compile(sources.map((file) => join(templates, file)));
    const errors = out.split('\n').filter((line) => line.includes('error TS'));
    expect(errors).to.deep.equal([]);
    expect(status).to.equal(0);
    for (const file of sources) expect(out, 'was compiled').to.include(join('templates', file));
  });

  it('would be noticed if they did not: a call that contracts do not have is an error', () => {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const wrong = join(folder, 'wrong.ts');
    writeFileSync(wrong, "import { Chain } from '@it-chain/contracts';\nexport const gone = Chain.calls.noSuchCall;\n");
    const { status, out } = compile([wrong]);
    expect(out).to.include('noSuchCall');
    expect(status).to.not.equal(0);
  });
});
