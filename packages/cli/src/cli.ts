import { createClient, type Client } from '@it-chain/client';
import { failure } from '@it-chain/contracts';
import { InvalidArgumentError, type Command } from 'commander';
import { findNode, type FindOptions } from './node/find-node.js';
import type { Io } from './terminal/io.js';
import { Printer } from './terminal/printer.js';

/** Options that every verb has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly color?: boolean;
  readonly verbose?: boolean;
}

/** Options of the verbs that speak to a node. */
export interface NodeVerbOptions extends CommonOptions, FindOptions {}

/** What every verb is made with. */
export class Cli {
  readonly io: Io;
  /** Set by a verb that answers and yet did not find or was refused. */
  exitCode = 0;

  constructor(io: Io) {
    this.io = io;
  }

  printer(options: CommonOptions): Printer {
    return new Printer({ json: options.json ?? false, color: options.color ?? true }, this.io);
  }

  /** Runs `work` with a client of the node that the options name, and closes it. */
  async withNode(options: NodeVerbOptions, work: (client: Client, printer: Printer) => Promise<void>): Promise<void> {
    const client = createClient(await findNode(options, this.io));
    try {
      await work(client, this.printer(options));
    } finally {
      client.close();
    }
  }

  /** A signal that aborts on SIGINT or SIGTERM, for verbs that follow something until they are stopped. */
  async untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const release = this.io.onSignal(() => {
      stop.abort();
    });
    try {
      await work(stop.signal);
    } finally {
      release();
    }
  }
}

/** Adds a verb with the options that all have. */
export function verb(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'one line of JSON per result')
    .option('--no-color', 'no colour (NO_COLOR does the same)')
    .option('--verbose', 'show the stack of an error');
}

/** Adds a verb that speaks to a node. */
export function nodeVerb(parent: Command, usage: string, description: string): Command {
  return verb(parent, usage, description)
    .option('--api <host:port>', 'the client API of the node (else by the config, else 127.0.0.1:7001)')
    .option('--config <file>', 'the config of the node')
    .option('--token-file <file>', 'the token for admin calls from another host (else <dataDir>/api.token)')
    .option('--ca <file>', 'speak TLS and trust this certificate (PEM)');
}

/** An option that is a whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number');
  return Number(text);
}

/** The 32 bytes of a hex id. @throws ERR_CLI_USAGE */
export function idOf(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw failure('ERR_CLI_USAGE', `"${text}" is not an id of 64 hex digits`, {
      hint: 'Copy the id that tx send printed.',
    });
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
}
