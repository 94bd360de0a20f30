import { z, type BusConfig } from '@it-chain/contracts';
import { DEFAULT_LIMITS } from '../context/allowance.js';
import { LOG_LEVELS } from '../log/logs.js';

const LISTEN = /^(unix(:.{1,107})?|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5})$/;
const MAX_PLUGINS = 100;

const limitMs = (standard: number, doc: string) =>
  z.int().min(10).max(600_000).default(standard).describe(`${doc} In ms.`);

/** A path in the config: relative ones are resolved against the folder of the config file. */
const path = () => z.string().min(1).max(4_096).meta({ format: 'path' });

const nodeSection = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[\p{L}\p{N}][\p{L}\p{N}._ -]{0,63}$/u,
        '1 to 64 letters, digits, spaces and ._- beginning with a letter or digit',
      )
      .default('node')
      .describe('Name of the node, for people. Never an identity.'),
    dataDir: path()
      .optional()
      .describe('Folder of everything the node keeps. Default: data/<name> beside the config file.'),
    id: z
      .string()
      .regex(/^[1-9A-HJ-NP-Za-km-z]{32,64}$/, 'a node id in base58, as `it-chain id` prints it')
      .optional()
      .describe('Id of the node. Only for a process that runs a part of a node without its key (--only).'),
  })
  .prefault({});

const busSection = z
  .strictObject({
    listen: z
      .string()
      .regex(LISTEN, 'HOST:PORT, or unix')
      .optional()
      .describe('Where the embedded AMQP server listens: HOST:PORT, port 0 for any free one, or unix for a socket.'),
    url: z
      .string()
      .max(2_000)
      .regex(/^amqps?:\/\/[^\s]+$/, 'amqp://USER:PASSWORD@HOST:PORT/VHOST')
      .optional()
      .describe('A broker to use instead of the embedded server: amqp://USER:PASSWORD@HOST:PORT/VHOST'),
    memory: z
      .boolean()
      .optional()
      .describe(
        'No server: the bus is in the memory of the one process. Not with --only, and nothing else can attach.',
      ),
  })
  .refine(({ listen, url }) => listen === undefined || url === undefined, 'listen and url exclude each other')
  .refine(
    ({ listen, url, memory }) => memory !== true || (listen === undefined && url === undefined),
    'memory excludes listen and url',
  )
  .prefault({});

const pluginEntry = z.strictObject({
  use: z
    .string()
    .min(1)
    .max(4_096)
    .describe(
      'A package, or a path from the folder of this file: a module (./my-plugin.mjs), or the JSON manifest of a plugin that runs in another process (./it-chain-plugin.json).',
    ),
  role: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/i, 'the name of a role, such as storage')
    .optional()
    .describe('Which role the plugin plays, where it can play several.'),
  with: z.record(z.string(), z.unknown()).optional().describe("The plugin's own settings."),
});

const logSection = z
  .strictObject({
    level: z.enum(LOG_LEVELS).default('info').describe('How much is logged.'),
    levels: z.record(z.string(), z.enum(LOG_LEVELS)).default({}).describe('Levels of single plugins, by their names.'),
    pretty: z.boolean().optional().describe('Coloured text instead of JSON lines. Default: on a terminal.'),
  })
  .prefault({});

const timeoutsSection = z
  .strictObject({
    importMs: limitMs(30_000, 'Limit of the import of a plugin.'),
    setupMs: limitMs(10_000, 'Limit of the setup of a plugin.'),
    startMs: limitMs(30_000, 'Limit of the start of a plugin.'),
    stopMs: limitMs(5_000, 'Limit of the stop of the whole node.'),
    remoteRoleMs: limitMs(60_000, 'How long a role that another process serves is waited for.'),
  })
  .prefault({});

const limitsSection = z
  .strictObject({
    eventsPerSecond: z
      .int()
      .min(1)
      .max(100_000)
      .default(DEFAULT_LIMITS.eventsPerSecond)
      .describe('Events that one plugin may tell in a second; more are dropped, which is logged.'),
    openCalls: z
      .int()
      .min(1)
      .max(10_000)
      .default(DEFAULT_LIMITS.openCalls)
      .describe('Calls of one plugin that may wait for their answers; more fail with ERR_BUS_FULL.'),
  })
  .prefault({});

/** The whole config but the plugins' own sections, which are checked by the plugins' schemas. */
export const nodeConfigSchema = z.strictObject({
  $schema: z.string().optional().describe('Where the JSON Schema of this file is, for editors.'),
  node: nodeSection,
  bus: busSection,
  plugins: z
    .array(pluginEntry)
    .min(1)
    .max(MAX_PLUGINS)
    .describe('The plugins of the node. Their order does not matter.'),
  log: logSection,
  timeouts: timeoutsSection,
  limits: limitsSection,
});

/** The config as {@link nodeConfigSchema} gives it. */
export type ParsedConfig = z.output<typeof nodeConfigSchema>;

/** The checked config of a node; every path in it is absolute. */
export interface NodeConfig extends Omit<ParsedConfig, 'node' | 'bus' | '$schema'> {
  readonly node: { readonly name: string; readonly dataDir: string; readonly id?: string | undefined };
  readonly bus: BusConfig;
}

/** Where the embedded server listens when the config says nothing. */
export const DEFAULT_LISTEN = '127.0.0.1:0';
