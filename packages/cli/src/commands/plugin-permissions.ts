import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BusPermissions } from '@it-chain/bus-amqp';
import { busNamespace, failure, nodeIdOf, type BusNeeds } from '@it-chain/contracts';
import { SystemClock, inspectPlugins, loadConfig } from '@it-chain/kernel';
import { Option, type Command } from 'commander';
import { verb, type Cli, type CommonOptions } from '../cli.js';
import { configOptions } from '../node/defaults.js';
import { rabbitCommands, rabbitDefinitions, type PolicySubject } from '../node/rabbitmq-policy.js';
import { readKey } from '../node/read-key.js';
import type { Printer } from '../terminal/printer.js';

interface PermissionsOptions extends CommonOptions {
  readonly config?: string;
  readonly rabbitmq?: 'definitions' | 'commands';
  readonly namespace?: string;
  readonly user?: string;
  readonly vhost: string;
  readonly passwordFile?: string;
}

/** `it-chain plugin permissions NAME`: what the broker user of a plugin may do, from its manifest. */
export function permissionsVerb(plugin: Command, cli: Cli): void {
  verb(plugin, 'permissions <plugin>', 'what a plugin may do on the bus, from its manifest')
    .option('--config <file>', 'the file (else it-chain.config.* in this folder)')
    .addOption(
      new Option('--rabbitmq <form>', 'for RabbitMQ: a file for import_definitions, or lines of rabbitmqctl').choices([
        'definitions',
        'commands',
      ]),
    )
    .option('--namespace <text>', 'first 16 characters of the id of the node (else by its key, or node.id)')
    .option('--user <name>', 'name of the broker user (else NAMESPACE.PLUGIN)')
    .option('--vhost <name>', 'virtual host of the broker', '/')
    .option('--password-file <file>', 'with definitions: holds the password of the user')
    .action((name: string, options: PermissionsOptions) => permissions(name, options, cli));
}

async function permissions(name: string, options: PermissionsOptions, cli: Cli): Promise<void> {
  const needs = await needsOf(name, options, cli);
  // Loaded here only: no other verb needs an AMQP client.
  const { permissionsOf } = await import('@it-chain/bus-amqp');
  const namespace = options.namespace ?? (await namespaceOf(options, cli));
  const subject: PolicySubject = {
    user: options.user ?? `${namespace}.${needs.name}`,
    vhost: options.vhost,
    permissions: permissionsOf(needs, namespace),
  };
  const printer = cli.printer(options);
  if (options.rabbitmq === 'commands') {
    const lines = rabbitCommands(subject);
    printer.result({ commands: lines }, () => lines.join('\n'));
    return;
  }
  if (options.rabbitmq === 'definitions') {
    const document = rabbitDefinitions(subject, passwordOf(options, cli));
    printer.result(document, () => JSON.stringify(document, null, 2));
    return;
  }
  const { user, vhost } = subject;
  printer.result({ user, vhost, needs, permissions: subject.permissions }, () =>
    [text(needs, printer), patterns(subject.permissions, printer)].join('\n\n'),
  );
}

async function needsOf(name: string, { config }: PermissionsOptions, cli: Cli): Promise<BusNeeds> {
  const { plugins } = await inspectPlugins(configOptions(cli.io, { config }), new SystemClock());
  const found = plugins.filter((one) => [one.use, one.name, one.role, one.package?.name].includes(name));
  const [only] = found;
  if (only?.needs !== undefined && found.length === 1) return only.needs;
  const why =
    only === undefined ? 'no plugin' : found.length > 1 ? 'more than one plugin' : 'a plugin that cannot be loaded';
  throw failure('ERR_CLI_NOT_FOUND', `${why} of the list is "${name}"`, {
    hint: `One of: ${plugins.map((one) => one.name ?? one.use).join(', ')}. See \`it-chain plugin doctor\`.`,
  });
}

async function namespaceOf({ config }: PermissionsOptions, cli: Cli): Promise<string> {
  const { node } = (await loadConfig(configOptions(cli.io, { config }), new SystemClock())).config;
  if (node.id !== undefined) return busNamespace(node.id);
  return busNamespace(nodeIdOf((await readKey(join(node.dataDir, 'node.key'))).publicKey));
}

function passwordOf({ passwordFile }: PermissionsOptions, { io }: Cli): { text: string; salt: Uint8Array } | undefined {
  if (passwordFile === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(io.cwd, passwordFile), 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw failure('ERR_CLI_USAGE', `the password file ${passwordFile} cannot be read`, { cause });
  }
  if (text === '') throw failure('ERR_CLI_USAGE', `the password file ${passwordFile} is empty`);
  return { text, salt: randomBytes(4) };
}

function text({ serves, calls, listens, tells }: BusNeeds, printer: Printer): string {
  const rows = [
    ...serves.map((one) => ['serves', one.role, one.calls.join(', ')]),
    ...calls.map((one) => ['calls', one.role, one.calls.join(', ')]),
    ...[...listens.events, ...listens.transients].map((one) => ['listens to', one, '']),
    ...[...tells.events, ...tells.transients].map((one) => ['tells', one, '']),
  ];
  return printer.table(['it', 'what', 'calls'], rows);
}

function patterns({ configure, write, read, routingKeys }: BusPermissions, printer: Printer): string {
  return printer.pairs([
    ['configure', configure],
    ['write', write],
    ['read', read],
    ...Object.entries(routingKeys).flatMap(([exchange, keys]): [string, string][] => [
      [`${exchange} write`, keys.write],
      [`${exchange} read`, keys.read],
    ]),
  ]);
}
