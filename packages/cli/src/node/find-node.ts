import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import type { ClientOptions } from '@it-chain/client';
import { failure } from '@it-chain/contracts';
import { parse } from 'yaml';
import type { Io } from '../terminal/io.js';
import { DEFAULT_API, configOptions } from './defaults.js';

/** How a command is told where the node is. */
export interface FindOptions {
  readonly api?: string | undefined;
  readonly config?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly ca?: string | undefined;
}

/** The node a config describes, as far as a client needs to know. */
export interface NodePlace {
  readonly dataDir: string;
  /** `api.listen`, or undefined where the config leaves the default. */
  readonly listen?: string | undefined;
  /** `api.tls.cert`: the certificate that the node shows. */
  readonly cert?: string | undefined;
}

const KINDS = ['yaml', 'yml', 'json', 'js', 'mjs', 'cjs', 'ts'] as const;

/**
 * Finds the node: --api, else the config, else 127.0.0.1:7001; and its token where the data directory can be read.
 * @throws ERR_CONFIG_* where the config that was named cannot be read, ERR_CLI_USAGE where an address or a file is none
 */
export async function findNode(options: FindOptions, io: Io): Promise<ClientOptions> {
  const api = checkedAddress(options.api ?? nonEmpty(io.env['IT_CHAIN_API']));
  const place = await placeOf(options.config, io);
  const token =
    nonEmpty(io.env['IT_CHAIN_TOKEN']) ??
    (options.tokenFile === undefined ? undefined : nonEmpty(fileOf('--token-file', options.tokenFile, io).trim())) ??
    readToken(place === undefined ? undefined : join(place.dataDir, 'api.token'));
  if (options.ca !== undefined) checkCertificate(fileOf('--ca', options.ca, io), options.ca);
  const ca = options.ca === undefined ? (api === undefined ? place?.cert : undefined) : resolve(io.cwd, options.ca);
  return {
    address: api ?? (place === undefined ? DEFAULT_API : addressOf(place)),
    ...(token === undefined ? {} : { token }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  };
}

/** Where the config says the node is; undefined without a config. */
export async function placeOf(config: string | undefined, io: Io): Promise<NodePlace | undefined> {
  const file = config === undefined ? configIn(io.cwd) : resolve(io.cwd, config);
  if (file === undefined) return undefined;
  return readPlain(file, io) ?? (await readFully(config, io));
}

/** The config file of a folder. */
export function configIn(folder: string): string | undefined {
  return KINDS.map((kind) => join(folder, `it-chain.config.${kind}`)).find((file) => existsSync(file));
}

/** Reads what is needed out of a text file without loading a plugin; undefined where that is not enough. */
function readPlain(file: string, io: Io): NodePlace | undefined {
  if (!['.yaml', '.yml', '.json'].includes(extname(file))) return undefined;
  // Settings in the environment change the file: then the kernel reads it, as it does for the node.
  const settings = Object.keys(io.env).filter((name) => /^IT_CHAIN_[A-Z0-9_]+__/.test(name));
  if (settings.length > 0) return undefined;
  try {
    const data = parse(readFileSync(file, 'utf8')) as {
      readonly node?: { readonly name?: string; readonly dataDir?: string };
      readonly plugins?: readonly { readonly use?: string; readonly with?: { readonly api?: ApiSection } }[];
    } | null;
    const folder = dirname(file);
    const gateway = data?.plugins?.find(({ use }) => use?.endsWith('plugin-gateway') === true)?.with?.api;
    const cert = gateway?.tls?.cert;
    return {
      dataDir: resolve(folder, data?.node?.dataDir ?? `data/${data?.node?.name ?? 'node'}`),
      listen: gateway?.listen,
      cert: cert === undefined ? undefined : resolve(folder, cert),
    };
  } catch {
    // The kernel reads it again and says exactly what is wrong.
    return undefined;
  }
}

interface ApiSection {
  readonly listen?: string;
  readonly tls?: { readonly cert?: string };
}

async function readFully(config: string | undefined, io: Io): Promise<NodePlace> {
  const { SystemClock, loadConfig } = await import('@it-chain/kernel');
  const loaded = await loadConfig(configOptions(io, { config }), new SystemClock());
  const api = loaded.plugins
    .map((plugin) => (plugin.config as { readonly api?: ApiSection } | undefined)?.api)
    .find((section) => section?.listen !== undefined);
  return { dataDir: loaded.config.node.dataDir, listen: api?.listen, cert: api?.tls?.cert };
}

/** The address to connect to: where the running node says it is, or what its config says. */
function addressOf({ dataDir, listen = DEFAULT_API }: NodePlace): string {
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at);
  const port = listen.slice(at + 1);
  if (port === '0') return runningAddress(dataDir) ?? DEFAULT_API;
  return `${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`;
}

/** Where the API of a running node is, from the file it keeps beside its data. */
export function runningAddress(dataDir: string): string | undefined {
  try {
    const { address } = JSON.parse(readFileSync(join(dataDir, 'api.json'), 'utf8')) as { readonly address?: string };
    return address?.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:');
  } catch {
    // No running node has left the file: then nobody knows.
    return undefined;
  }
}

/** The address of a client API as it was typed. @throws ERR_CLI_USAGE */
function checkedAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@]+):(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return text;
  throw failure('ERR_CLI_USAGE', `"${text}" is not an address of the client API`, {
    hint: 'Write HOST:PORT, such as 127.0.0.1:7001.',
  });
}

/** The text of a file that an option names. @throws ERR_CLI_USAGE */
function fileOf(option: string, file: string, io: Io): string {
  const path = resolve(io.cwd, file);
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw failure('ERR_CLI_USAGE', `the file ${path} of ${option} cannot be read`, {
      hint: 'Check the path and who may read it.',
      cause,
    });
  }
}

function checkCertificate(pem: string, file: string): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw failure('ERR_CLI_USAGE', `the file ${file} of --ca holds no certificate in PEM`, { cause });
  }
}

function readToken(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return nonEmpty(readFileSync(path, 'utf8').trim());
  } catch {
    // Not there or not ours to read: on this host no token is needed.
    return undefined;
  }
}

const nonEmpty = (text: string | undefined): string | undefined =>
  text === undefined || text === '' ? undefined : text;
