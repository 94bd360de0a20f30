import { readFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KINDS, kindOf, type Kind } from './kinds.js';
import { checkName, scaffold } from './scaffold.js';
import { UsageError } from './usage-error.js';

/** What the command has of the world around it. */
export interface Io {
  /** Writes text to standard output. */
  readonly out: (text: string) => void;
  /** Writes text to standard error. */
  readonly err: (text: string) => void;
  readonly cwd: string;
  /** Asks a question on the terminal; absent where there is none. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
}

const OPTIONS = {
  kind: { type: 'string', short: 'k' },
  dir: { type: 'string', short: 'd' },
  description: { type: 'string' },
  'no-interactive': { type: 'boolean' },
  json: { type: 'boolean' },
  list: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

/** Runs one command line, without the interpreter and the script. Gives the exit code: 0 done, 2 wrong usage. */
export async function main(words: readonly string[], io: Io): Promise<number> {
  try {
    await run(words, io);
    return 0;
  } catch (error) {
    const usage = error instanceof UsageError || isParseError(error);
    if (!usage) throw error;
    const hint = error instanceof UsageError ? error.hint : 'see create-it-chain-plugin --help';
    io.err(`error: ${error.message}\ntry:   ${hint}\n`);
    return 2;
  }
}

async function run(words: readonly string[], io: Io): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  const facts = values.list === true ? list(values.json === true) : values.version === true ? `${version()}\n` : help();
  if (values.help === true || values.version === true || values.list === true) {
    io.out(facts);
    return;
  }
  if (positionals.length > 1) throw new UsageError(`there are ${positionals.length} names`, 'give one name');
  const ask = values['no-interactive'] === true ? undefined : io.ask;
  const name = positionals[0] ?? (await ask?.('Name of the package [my-plugin]: '));
  if (name === undefined) throw new UsageError('no name was given', 'npm create it-chain-plugin my-plugin');
  const chosen = name === '' ? 'my-plugin' : name;
  checkName(chosen);
  const kind = await chooseKind(values.kind, ask, io);
  const folder = resolve(io.cwd, values.dir ?? basename(chosen));
  const files = scaffold({ name: chosen, kind, folder, description: values.description });
  if (values.json === true) io.out(`${JSON.stringify({ name: chosen, kind: kind.name, folder, files })}\n`);
  else io.out(next(chosen, kind, relative(io.cwd, folder) || '.', files));
}

const list = (json: boolean): string => (json ? `${JSON.stringify(KINDS)}\n` : `${kindLines()}\n`);

async function chooseKind(asked: string | undefined, ask: Io['ask'], io: Io): Promise<Kind> {
  const names = KINDS.map(({ name }) => name).join(', ');
  if (asked === undefined && ask === undefined) throw new UsageError('no kind was given', `--kind, one of ${names}`);
  if (asked === undefined) io.out(`${kindLines()}\n`);
  const answer = asked ?? (await ask?.('Kind [application]: ')) ?? '';
  const kind = kindOf(answer === '' && asked === undefined ? 'application' : answer.trim());
  if (kind === undefined) throw new UsageError(`there is no kind "${answer.slice(0, 40)}"`, `one of ${names}`);
  return kind;
}

function kindLines(): string {
  const width = Math.max(...KINDS.map(({ name }) => name.length));
  return KINDS.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}`).join('\n');
}

function next(name: string, kind: Kind, folder: string, files: readonly string[]): string {
  return [
    `${name}: ${kind.name}, ${files.length} files in ${folder}`,
    `  ${kind.description}`,
    '',
    'Next:',
    `  cd ${folder}`,
    '  npm install',
    '  npm test         # builds, and runs the unit test and the compliance suites',
    '  npm run dev      # a node with the plugin in it, restarted on each change',
    '',
  ].join('\n');
}

function help(): string {
  return [
    'npm create it-chain-plugin NAME -- --kind KIND',
    '',
    'Makes a package with a plugin that works, its tests, the compliance suites of its role, and a config to run it.',
    'On a terminal it asks for what is not given.',
    '',
    '  -k, --kind KIND        one of:',
    kindLines().replaceAll(/^/gm, '      '),
    '  -d, --dir FOLDER       where it goes; default: a folder of its name',
    '      --description TEXT for package.json and the README',
    '      --no-interactive   ask nothing: what is missing is an error',
    '      --list             the kinds',
    '      --json             one line of JSON',
    '  -V, --version',
    '',
  ].join('\n');
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

function isParseError(error: unknown): error is Error {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return error instanceof Error && typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_');
}
