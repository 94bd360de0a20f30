import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './node-process.js';

const run = promisify(execFile);

/**
 * Compiles the first `ts` block of a README, with every check on, and runs it inside its package, so that its imports are
 * resolved as a user's would be. Gives what it printed.
 */
export async function runReadmeExample(packageFolder: string): Promise<string> {
  const readme = readFileSync(join(root, packageFolder, 'README.md'), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1];
  if (example === undefined) throw new Error(`the README of ${packageFolder} has no example`);
  const folder = join(root, packageFolder, 'dist-test', 'readme-example');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'example.ts'), example);
  const compilerOptions = {
    composite: false,
    incremental: false,
    declaration: false,
    declarationMap: false,
    outDir: 'out',
    rootDir: '.',
    types: ['node'],
  };
  const config = { extends: join(root, 'tsconfig.base.json'), compilerOptions, files: ['example.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  await run(process.execPath, [join(root, 'node_modules', 'typescript7', 'bin', 'tsc'), '-p', folder]);
  const { stdout } = await run(process.execPath, [join(folder, 'out', 'example.js')], { cwd: folder });
  return stdout;
}
