import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { NodeProcess, root } from './support/node-process.js';
import { scratch } from './support/network.js';

/** A fenced block of TypeScript in a page. `runs`: it is marked `ts run`, needs nothing but the package, and ends by itself. */
interface Example {
  readonly page: string;
  readonly line: number;
  readonly file: string;
  readonly runs: boolean;
}

const build = join(root, 'test', 'dist', 'examples');

describe('the examples in the pages', function () {
  this.timeout(600_000);
  const examples = pages().flatMap(examplesOf);
  const folder = scratch();
  after(() => folder.remove());

  it('compile', () => {
    const compilerOptions = {
      composite: false,
      incremental: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      rootDir: '.',
      outDir: 'out',
      types: ['node', 'mocha'],
    };
    writeFileSync(
      join(build, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../tsconfig.base.json', compilerOptions, include: ['*.ts'] }),
    );
    const tsc = join(root, 'node_modules', 'typescript7', 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', build], { cwd: build, encoding: 'utf8' });
    const named = examples.reduce(
      (text, { file, page, line }) => text.replaceAll(basename(file), `${page}:${line}`),
      stdout,
    );
    expect(named).to.equal('');
    expect(examples.length).to.be.greaterThan(10);
  });

  for (const { page, line, file, runs } of examples) {
    if (!runs) continue;
    it(`${page}:${line} runs`, () => {
      const compiled = join(build, 'out', `${basename(file, '.ts')}.js`);
      const { status, stderr } = spawnSync(process.execPath, [compiled], {
        cwd: folder.dir,
        encoding: 'utf8',
        timeout: 300_000,
      });
      expect(status, stderr).to.equal(0);
    });
  }

  it('packages/client/README.md runs against a node', async () => {
    const { file } = examples.find(({ page }) => page === 'packages/client/README.md') ?? raise('no example');
    const compiled = join(build, 'out', `${basename(file, '.ts')}.js`);
    const node = await NodeProcess.create({ name: 'readme', dir: folder.dir });
    try {
      await node.start(['--solo']);
      const here = join(build, 'out', 'client-here.js');
      writeFileSync(here, readFileSync(compiled, 'utf8').replace('127.0.0.1:7001', `127.0.0.1:${node.apiPort}`));
      const { status, stdout, stderr } = spawnSync(process.execPath, [here], { encoding: 'utf8', timeout: 300_000 });
      expect(status, stderr).to.equal(0);
      expect(stdout)
        .to.match(/^committed \d+\nhello after height \d+\n/)
        .and.to.match(/\n3 [0-9a-f]{64}\n$/);
    } finally {
      await node.stop();
    }
  });

  it('are in the README of every package, one of them at least', () => {
    const having = new Set(examples.map(({ page }) => page));
    const without = readdirSync(join(root, 'packages')).filter((name) => !having.has(`packages/${name}/README.md`));
    expect(without).to.deep.equal([]);
  });
});

function raise(message: string): never {
  throw new Error(message);
}

/** The front page, docs/ and the README of every package and example. */
function pages(): string[] {
  const found = [join(root, 'README.md')];
  const walk = (dir: string): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith('.md')) found.push(path);
    }
  };
  walk(join(root, 'docs'));
  for (const group of ['packages', 'examples']) {
    if (!existsSync(join(root, group))) continue;
    for (const name of readdirSync(join(root, group))) {
      const readme = join(root, group, name, 'README.md');
      if (existsSync(readme)) found.push(readme);
    }
  }
  return found;
}

/** Writes the examples of a page to files of their own. */
function examplesOf(path: string, index: number): Example[] {
  if (index === 0) {
    rmSync(build, { recursive: true, force: true });
    mkdirSync(build, { recursive: true });
  }
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^```ts( run)?\n([\s\S]*?)^```/gm)].map((match, number) => {
    const file = join(build, `page${index}-${number}.ts`);
    // `export {}` makes every block a module, so that names of two blocks never meet.
    writeFileSync(file, `${match[2] ?? ''}\nexport {};\n`);
    const line = text.slice(0, match.index).split('\n').length;
    return { page: relative(root, path), line, file, runs: match[1] !== undefined };
  });
}
