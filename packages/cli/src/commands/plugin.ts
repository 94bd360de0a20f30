import { basename, dirname, resolve } from 'node:path';
import { failure } from '@it-chain/contracts';
import {
  SystemClock,
  describeProblem,
  inspectPlugins,
  installedPlugins,
  type InspectedPlugin,
  type PluginInspection,
} from '@it-chain/kernel';
import { InvalidArgumentError, type Command } from 'commander';
import { parse } from 'yaml';
import { verb, wholeNumber, type Cli, type CommonOptions } from '../cli.js';
import { configOptions } from '../node/defaults.js';
import { DevNode } from '../node/dev-node.js';
import { diagnose } from '../node/plugin-doctor.js';
import { PluginListFile } from '../node/plugin-list-file.js';
import type { Printer } from '../terminal/printer.js';
import { permissionsVerb } from './plugin-permissions.js';

interface PluginVerbOptions extends CommonOptions {
  readonly config?: string;
}
interface AddOptions extends PluginVerbOptions {
  readonly role?: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly replace?: boolean;
}
interface RemoveOptions extends PluginVerbOptions {
  readonly force?: boolean;
}
interface DevVerbOptions extends PluginVerbOptions {
  readonly quietMs: number;
  readonly logLevel?: string;
}

/** `it-chain plugin list|doctor|permissions|add|remove|dev` */
export function pluginCommand(program: Command, cli: Cli): void {
  const plugin = program.command('plugin').description('the plugins of a config');
  const pluginVerb = (usage: string, description: string): Command =>
    verb(plugin, usage, description).option('--config <file>', 'the file (else it-chain.config.* in this folder)');

  pluginVerb('list', 'the plugins of the config, and those that are installed beside it').action(
    async (options: PluginVerbOptions) => {
      list(await inspect(options.config, cli), cli.printer(options), cli);
    },
  );
  pluginVerb('doctor', 'say what is wrong with the plugins, and how to mend each').action(
    async (options: PluginVerbOptions) => {
      doctor(await inspect(options.config, cli), cli.printer(options), cli);
    },
  );
  permissionsVerb(plugin, cli);
  pluginVerb('add <use>', 'add a package, or a path from the folder of the config; comments stay')
    .option('--role <role>', 'the role it plays, where it can play several')
    .option('--with <key=value>', 'a setting, repeatable; a dot goes deeper: --with api.port=1', setting, {})
    .option('--replace', 'put it in the place of the plugin that plays the role now')
    .action((use: string, options: AddOptions) => add(use, options, cli));
  pluginVerb('remove <plugin>', 'remove a plugin, by what the config calls it, its name or its role')
    .option('--force', 'also where the node cannot start without it')
    .action((name: string, options: RemoveOptions) => remove(name, options, cli));
  pluginVerb('dev', 'build the plugin in this folder, run it in a node of its own, again after each change')
    .option('--quiet-ms <ms>', 'how long after the last change the node is started again', wholeNumber, 300)
    .option('--log-level <level>', 'of the node: silent, error, warn, info or debug')
    .action(async (options: DevVerbOptions) => {
      const start = ['--solo', ...(options.config === undefined ? [] : ['--config', options.config])];
      const level = options.logLevel === undefined ? [] : ['--log-level', options.logLevel];
      const json = options.json === true ? ['--json'] : [];
      const dev = new DevNode(
        { folder: cli.io.cwd, start: [...start, ...level, ...json], quietMs: options.quietMs },
        cli.io,
      );
      await cli.untilStopped((signal) => dev.run(signal));
    });
}

function inspect(config: string | undefined, cli: Cli): Promise<PluginInspection> {
  return inspectPlugins(configOptions(cli.io, { config }), new SystemClock());
}

function list({ file, plugins }: PluginInspection, printer: Printer, cli: Cli): void {
  const rows = plugins.map((one) => ({
    use: one.use,
    name: one.name ?? null,
    role: one.role ?? null,
    version: one.version ?? null,
    package: one.package?.name ?? null,
    loaded: one.name !== undefined,
  }));
  const listed = new Set(plugins.flatMap((one) => [one.use, one.package?.name ?? one.use]));
  const others = installedPlugins([cli.io.cwd]).filter((name) => !listed.has(name));
  printer.result({ file: file ?? null, plugins: rows, installed: others }, () =>
    [
      printer.table(
        ['role', 'plugin', 'version', 'use'],
        rows.map(({ role, name, version, use }) => [
          role ?? '-',
          name ?? printer.color.red('not loaded'),
          version ?? '-',
          use,
        ]),
      ),
      file === undefined ? 'these are the defaults: there is no config file here' : '',
      others.length === 0 ? '' : `installed and not in the list: ${others.join(', ')}`,
    ]
      .filter((line) => line !== '')
      .join('\n'),
  );
}

function doctor(inspection: PluginInspection, printer: Printer, cli: Cli): void {
  const findings = diagnose(inspection);
  const sound = findings.every(({ level }) => level === 'warning');
  if (!sound) cli.exitCode = 2;
  printer.result({ sound, file: inspection.file ?? null, findings }, () =>
    findings.length === 0
      ? printer.color.green(`${inspection.plugins.length} plugins, nothing wrong`)
      : findings
          .map(({ level, code, place, message, fix }) => {
            const head = level === 'error' ? printer.color.red(code) : printer.color.yellow(`${code} (warning)`);
            return `${head}  ${place === '' ? '' : `${place}: `}${message}\n  mend it: ${fix}`;
          })
          .join('\n'),
  );
}

async function add(use: string, options: AddOptions, cli: Cli): Promise<void> {
  const before = await inspect(options.config, cli);
  const file = new PluginListFile(fileOf(before, options, cli));
  const settings = Object.keys(options.with).length === 0 ? undefined : options.with;
  const line = { use, role: options.role, with: settings };
  // By itself first: what role it plays says whether it has a predecessor.
  const alone = { ...configOptions(cli.io), cwd: dirname(file.file), config: { plugins: [line] } };
  const [added] = (await inspectPlugins(alone, new SystemClock())).plugins;
  const taken = before.plugins.find(({ role }) => role !== undefined && role === added?.role);
  if (taken !== undefined && options.replace !== true) {
    throw failure(
      'ERR_PLUGIN_ROLE_TAKEN',
      `${use} plays the role ${taken.role ?? ''}, which ${taken.use} plays already`,
      {
        hint: 'Add --replace to put it in its place.',
      },
    );
  }
  if (taken === undefined) file.add(line);
  else file.replace(indexOf(taken), line);
  await file.write((draft) => refuse(draft, file.file, cli));
  const answer = { file: file.file, added: use, role: added?.role ?? null, replaced: taken?.use ?? null };
  cli.printer(options).result(answer, () => {
    const what = taken === undefined ? `added ${use}` : `${use} is in the place of ${taken.use}`;
    return `${what}${added?.role === undefined ? '' : ` as ${added.role}`} in ${file.file}`;
  });
}

async function remove(name: string, options: RemoveOptions, cli: Cli): Promise<void> {
  const before = await inspect(options.config, cli);
  const file = new PluginListFile(fileOf(before, options, cli));
  const found = before.plugins.filter((one) => [one.use, one.name, one.role, one.package?.name].includes(name));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const known = before.plugins.map(({ use }) => use).join(', ');
    throw failure(
      'ERR_CLI_NOT_FOUND',
      `${found.length === 0 ? 'no plugin' : 'more than one plugin'} of the list is "${name}"`,
      {
        hint: `One of: ${known}`,
      },
    );
  }
  file.remove(indexOf(only));
  await file.write((draft) => (options.force === true ? Promise.resolve() : refuse(draft, file.file, cli)));
  const answer = { file: file.file, removed: only.use, role: only.role ?? null };
  cli.printer(options).result(answer, () => `removed ${only.use} from ${file.file}`);
}

/** The file that is changed: the one that was read, or a new one in this folder. */
function fileOf({ file }: PluginInspection, { config }: PluginVerbOptions, { io }: Cli): string {
  return file ?? resolve(io.cwd, config ?? 'it-chain.config.yaml');
}

const indexOf = ({ at }: InspectedPlugin): number => Number(/\d+/.exec(at)?.[0] ?? 0);

/** @throws what would keep a node from starting with the draft, told of the file itself */
async function refuse(draft: string, file: string, cli: Cli): Promise<void> {
  const { problems } = await inspect(draft, cli);
  const [first] = problems;
  if (first === undefined) return;
  const lines = problems.map((problem) => describeProblem({ ...problem, source: basename(file) }));
  throw failure(first.code, `nothing was changed: ${lines.join('; ')}`, {
    hint: first.hint ?? 'See `it-chain plugin doctor`.',
  });
}

/** Collects `--with key=value`; values are read as in YAML. */
function setting(text: string, before: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected key=value');
  const path = text.slice(0, at).split('.');
  return nested(before, path, parse(text.slice(at + 1)) as unknown);
}

function nested(
  table: Readonly<Record<string, unknown>>,
  path: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const [key = '', ...rest] = path;
  const inner = table[key];
  const below = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  return { ...table, [key]: rest.length === 0 ? value : nested(below, rest, value) };
}
