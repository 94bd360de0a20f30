import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(here, '..');

describe('the README', function () {
  this.timeout(120_000);

  it('has an example that compiles and runs', async () => {
    const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    // Inside the package, so that its imports are resolved as a user's would be.
    const folder = join(here, 'readme-example');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'example.ts'), example ?? '');
    const config = {
      extends: '../../../../tsconfig.base.json',
      compilerOptions: {
        composite: false,
        incremental: false,
        declaration: false,
        declarationMap: false,
        outDir: 'out',
      },
      files: ['example.ts'],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript7/package.json')), 'bin', 'tsc');
    await run(process.execPath, [tsc, '-p', folder]);
    const { stdout } = await run(process.execPath, [join(folder, 'out', 'example.js')]);
    expect(stdout).to.equal('block 7\n');
  });

  it('names every option and every error code of the source', async () => {
    const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
    const options = await readFile(join(PACKAGE, 'src', 'options.ts'), 'utf8');
    const [, body] = /interface AmqpServerOptions \{([\s\S]*?)\n\}/.exec(options) ?? [];
    const names = [...(body ?? '').matchAll(/readonly (\w+)\?:/g)].map((match) => match[1] ?? '');
    expect(names.length).to.be.greaterThan(20);
    for (const name of names) expect(readme).to.contain(`| \`${name}\``);
    const sources = ['errors.ts', 'server/connection.ts', 'server/listener.ts', 'server/basic-methods.ts'];
    sources.push('server/queue-methods.ts');
    for (const source of sources) {
      const text = await readFile(join(PACKAGE, 'src', source), 'utf8');
      for (const [code] of text.matchAll(/ERR_AMQP_[A-Z_]+/g)) expect(readme).to.contain(code);
    }
  });
});
