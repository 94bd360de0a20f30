import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, nodeIdOf, toHex } from '@it-chain/contracts';
import { SystemClock, loadConfig } from '@it-chain/kernel';
import type { Command } from 'commander';
import { nodeVerb, verb, type Cli, type CommonOptions, type NodeVerbOptions } from '../cli.js';
import { configOptions } from '../node/defaults.js';
import { placeOf } from '../node/find-node.js';
import { readKey } from '../node/read-key.js';

/** The public half of a node's key file. */
interface KeyFacts {
  readonly nodeId: string;
  readonly publicKey: string;
  readonly file: string;
  readonly mode: string;
}

/** `it-chain id`: from the node where --api is given, else from its key file, which also works while it is stopped. */
export function idCommand(program: Command, cli: Cli): void {
  nodeVerb(program, 'id', 'the id of the node').action(async (options: NodeVerbOptions) => {
    if (options.api === undefined && (await placeOf(options.config, cli.io)) !== undefined) {
      const { nodeId, publicKey } = await keyFacts(options.config, cli);
      cli.printer(options).result({ nodeId, publicKey }, () => nodeId);
      return;
    }
    await cli.withNode(options, async (client, printer) => {
      const { nodeId, publicKey } = await client.status();
      printer.result({ nodeId, publicKey: toHex(publicKey) }, () => nodeId);
    });
  });
}

/** `it-chain keys show` */
export function keysCommand(program: Command, cli: Cli): void {
  const keys = program.command('keys').description('the key of the node');
  verb(keys, 'show', 'the public key of the node, and where its key file is; never the key')
    .option('--config <file>', 'the config of the node')
    .action(async (options: CommonOptions & { config?: string }) => {
      const facts = await keyFacts(options.config, cli);
      const printer = cli.printer(options);
      printer.result(facts, () =>
        printer.pairs([
          ['node', facts.nodeId],
          ['public key', facts.publicKey],
          ['file', facts.file],
          ['mode', facts.mode],
        ]),
      );
    });
}

async function keyFacts(config: string | undefined, cli: Cli): Promise<KeyFacts> {
  const place =
    (await placeOf(config, cli.io)) ??
    (await loadConfig(configOptions(cli.io, { config }), new SystemClock())).config.node;
  const file = join(place.dataDir, 'node.key');
  const { publicKey } = await readKey(file);
  const { mode } = await stat(file);
  if (publicKey.length !== 32) throw failure('ERR_IDENTITY_KEY_DAMAGED', `the file ${file} holds no Ed25519 key`);
  return {
    nodeId: nodeIdOf(publicKey),
    publicKey: toHex(publicKey),
    file,
    mode: (mode & 0o777).toString(8).padStart(4, '0'),
  };
}
