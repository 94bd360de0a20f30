// Runs every command of docs/plugins/tutorial.md, one after the other, in the folders that it says.
import { expect } from 'chai';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main } from 'create-it-chain-plugin';
import { limitMs } from './workbench.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const itChain = join(root, 'packages', 'cli', 'bin', 'it-chain.js');
const PORT = 7892;

/** The commands of the blocks marked `sh`, in order. */
function commands(page: string): string[] {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.trim().split('\n'));
}

describe('the tutorial', function () {
  this.timeout(limitMs * 4);
  const folder = mkdtempSync(join(tmpdir(), 'it-chain-tutorial-'));
  const operator = join(folder, 'operator');
  let here = folder;
  let dev: ChildProcess | undefined;

  const env = {
    ...process.env,
    IT_CHAIN_GATEWAY__API__LISTEN: `127.0.0.1:${PORT}`,
    IT_CHAIN_API: `127.0.0.1:${PORT}`,
    NO_COLOR: '1',
  };
  const run = (command: string, args: readonly string[], cwd = here): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: limitMs });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(status)}\n${stdout}${stderr}`);
    return stdout;
  };

  after(async () => {
    if (dev?.exitCode === null) {
      const closed = new Promise((resolve) => dev?.once('close', resolve));
      process.kill(-Number(dev.pid), 'SIGTERM');
      await closed;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  /** What stands for a command that would leave this machine, or that a test must end itself. */
  const special: readonly (readonly [RegExp, (match: RegExpExecArray) => Promise<void>])[] = [
    [
      /^npm create it-chain-plugin (\S+) -- (.*)$/,
      async ([, name = '', flags = '']) => {
        const io = { out: () => undefined, err: (text: string) => process.stderr.write(text), cwd: here };
        expect(await main([name, ...flags.split(' ')], io)).to.equal(0);
      },
    ],
    [/^cd (\S+)$/, async ([, into = '']) => void (here = join(here, into))],
    [
      /^npm install$/,
      async () => {
        // The workspace is what npm would install, the command `it-chain` among it.
        symlinkSync(join(root, 'node_modules'), join(here, 'node_modules'), 'dir');
      },
    ],
    [
      /^npm run dev$/,
      async () => {
        // A group of its own: npm does not pass every signal on to what it runs.
        dev = spawn('npm', ['run', 'dev'], { cwd: here, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
        let out = '';
        dev.stdout?.on('data', (text: Buffer) => (out += text.toString()));
        const end = performance.now() + limitMs;
        while (!/^api\s/m.test(out)) {
          if (performance.now() > end || dev.exitCode !== null) throw new Error(`the node did not start\n${out}`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
    ],
    // No registry is spoken to: packing is publishing without the upload, and what was packed is what is installed below.
    [/^npm publish$/, async () => void run('npm', ['pack', '--silent', '--pack-destination', folder])],
    [
      /^npm install (\S+)$/,
      async ([, name = '']) => {
        here = operator;
        const modules = join(operator, 'node_modules');
        mkdirSync(modules, { recursive: true });
        run('tar', ['-xzf', join(folder, `${name}-1.0.0.tgz`), '-C', folder], folder);
        cpSync(join(folder, 'package'), join(modules, name), { recursive: true });
        symlinkSync(join(root, 'node_modules', '@it-chain'), join(modules, '@it-chain'), 'dir');
      },
    ],
    [/^npx it-chain (.*)$/, async ([, words = '']) => void run(process.execPath, [itChain, ...words.split(' ')])],
  ];

  for (const command of commands(readFileSync(join(root, 'docs', 'plugins', 'tutorial.md'), 'utf8'))) {
    it(command, async () => {
      for (const [pattern, act] of special) {
        const match = pattern.exec(command);
        if (match !== null) return act(match);
      }
      const [name = '', ...args] = command.split(' ');
      run(name, args);
      return undefined;
    });
  }

  it('has left what it says', () => {
    const journal = join(folder, 'my-observer', 'data', 'dev', 'plugins', 'my-observer', 'blocks.jsonl');
    expect(existsSync(journal) && readFileSync(journal, 'utf8')).to.match(/^\{"height":1,/);
    expect(readFileSync(join(operator, 'it-chain.config.yaml'), 'utf8')).to.include('- use: my-observer');
    const packed = join(operator, 'node_modules', 'my-observer');
    expect(existsSync(join(packed, 'dist', 'src', 'index.js'))).to.equal(true);
    expect(existsSync(join(packed, 'test'))).to.equal(false);
  });
});
