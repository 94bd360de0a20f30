import type { Command, Option } from 'commander';
import { Cli } from './cli.js';
import { createProgram } from './program.js';
import { silentIo } from './terminal/io.js';

const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failed'],
  [2, 'wrong usage or configuration'],
  [3, 'cannot connect'],
  [4, 'not found'],
  [5, 'refused'],
  [10, 'the store is damaged'],
  [11, 'the disk is full or failing'],
  [12, 'the key or its permissions are wrong'],
  [13, 'a safety violation'],
  [14, 'the store is in use by another process'],
];
const COMMON = new Set(['--json', '--no-color', '--verbose', '--api', '--token-file', '--ca']);

/** `docs/cli.md`, from the definitions of the command itself. */
export async function cliReference(): Promise<string> {
  const cli = new Cli(silentIo());
  const program = await createProgram(cli);
  const status = find(program, 'status');
  return [
    '# The command `it-chain`',
    '',
    'Every verb has `--json`: one line of JSON per result, for scripts. Keys may be added, never renamed. Errors go to standard error: what happened and its',
    'code (see [errors](errors.md)), why, and what to try; with `--json` as one line `{"error":{code,message,hint,exit}}`.',
    '',
    'A verb that asks a node finds it by `--api`, else by `IT_CHAIN_API`, else by the config (`--config`, or `it-chain.config.*` in this folder), else at',
    '127.0.0.1:7001. Calls that change the node are for its own host, or need its token: `--token-file`, else `IT_CHAIN_TOKEN`, else `api.token` in the data',
    'directory of the config.',
    '',
    '## Options of all verbs that ask a node',
    '',
    ...optionTable((status?.options ?? []).filter(({ long }) => COMMON.has(long ?? ''))),
    '## Exit codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    '## Verbs',
    '',
    ...program.commands.filter(({ commands }) => commands.length === 0).flatMap((one) => section(one, 'it-chain')),
    ...program.commands.flatMap((group) => group.commands.flatMap((one) => section(one, `it-chain ${group.name()}`))),
  ].join('\n');
}

function section(command: Command, prefix: string): string[] {
  const own = command.options.filter(({ long, hidden }) => !COMMON.has(long ?? '') && !hidden);
  return [
    `### ${prefix} ${command.name()}`,
    '',
    `\`${prefix} ${command.name()}${usage(command)}\``,
    '',
    sentence(command.description()),
    '',
    ...(own.length === 0 ? [] : optionTable(own)),
  ];
}

function usage(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? ` <${name}>` : ` [${name}]`;
  });
  return `${words.join('')} [options]`;
}

function optionTable(options: readonly Option[]): string[] {
  const rows = options.map(({ flags, description, defaultValue }) => {
    const standard =
      defaultValue === undefined || defaultValue === true || defaultValue === '' || typeof defaultValue === 'object'
        ? ''
        : `\`${String(defaultValue)}\``;
    return `| \`${flags.replaceAll('|', '\\|')}\` | ${description.replaceAll('<', '&lt;')} | ${standard} |`;
  });
  return ['| option | meaning | default |', '|---|---|---|', ...rows, ''];
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

function find(program: Command, name: string): Command | undefined {
  return program.commands.find((one) => one.name() === name);
}
