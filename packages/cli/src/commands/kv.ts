import { resolve } from 'node:path';
import { kvRangeJson, kvValueJson } from '@it-chain/client';
import { failure, utf8, type KeyPair } from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, wholeNumber, type Cli, type NodeVerbOptions } from '../cli.js';
import { readKey } from '../node/read-key.js';
import { settle, withWait, type WaitOptions } from './wait.js';

interface KvOptions extends NodeVerbOptions, WaitOptions {
  readonly key?: string;
  readonly hex?: boolean;
}

/** `it-chain kv put|get|delete|cas|range` */
export function kvCommand(program: Command, cli: Cli): void {
  const kv = program.command('kv').description('the key-value application');
  const keysOf = async ({ key }: KvOptions): Promise<{ keys?: KeyPair }> =>
    key === undefined ? {} : { keys: await readKey(resolve(cli.io.cwd, key)) };
  const change = (usage: string, description: string): Command =>
    withWait(nodeVerb(kv, usage, description))
      .option('--key <file>', 'sign with this key (Ed25519, PKCS#8 PEM) instead of the key of the node')
      .option('--hex', 'keys and values are hex');

  change('put <key> <value>', 'write a value').action(async (key: string, value: string, options: KvOptions) =>
    cli.withNode(options, async (client, printer) => {
      const sent = await client.kv.put(bytesOf(key, options), bytesOf(value, options), await keysOf(options));
      await settle(sent, options, { client, printer, cli });
    }),
  );

  change('delete <key>', 'delete a key').action(async (key: string, options: KvOptions) =>
    cli.withNode(options, async (client, printer) => {
      const sent = await client.kv.delete(bytesOf(key, options), await keysOf(options));
      await settle(sent, options, { client, printer, cli });
    }),
  );

  change('cas <key> <value>', 'write a value only where the present one is as expected')
    .option('--expect <value>', 'the value that must be there; without it the key must have none')
    .action(async (key: string, value: string, options: KvOptions & { expect?: string }) =>
      cli.withNode(options, async (client, printer) => {
        const expected = options.expect === undefined ? undefined : bytesOf(options.expect, options);
        const bytes = bytesOf(value, options);
        const sent = await client.kv.compareAndSet(bytesOf(key, options), expected, bytes, await keysOf(options));
        await settle(sent, options, { client, printer, cli });
      }),
    );

  nodeVerb(kv, 'get <key>', 'read a value')
    .option('--hex', 'the key is hex')
    .option('--prove', 'ask for the proof and check it')
    .action(async (key: string, options: KvOptions & { prove?: boolean }) =>
      cli.withNode(options, async (client, printer) => {
        const prove = options.prove === true;
        const found = await client.kv.get(bytesOf(key, options), { prove });
        const json = { ...kvValueJson(found), ...(prove ? { verified: true } : {}) };
        if (found.value === undefined) cli.exitCode = 4;
        if (printer.json) printer.data(json);
        else if (json.value !== null) printer.line(json.value);
        else cli.io.err(`no value at height ${json.height}\n`);
      }),
    );
  rangeVerb(kv, cli);
}

/** `it-chain kv range` */
function rangeVerb(kv: Command, cli: Cli): void {
  nodeVerb(kv, 'range', 'keys and values in their order')
    .option('--from <key>', 'the first key', '')
    .option('--to <key>', 'the key behind the last one')
    .option('--limit <entries>', 'at most so many, up to 1000', wholeNumber, 100)
    .option('--reverse', 'from the end')
    .option('--hex', 'the keys are hex')
    .action(async (options: KvOptions & { from: string; to?: string; limit: number; reverse?: boolean }) =>
      cli.withNode(options, async (client, printer) => {
        if (options.limit < 1 || options.limit > 1_000)
          throw failure('ERR_CLI_USAGE', `--limit is ${options.limit}, not 1 to 1000`);
        const range = await client.kv.range({
          from: bytesOf(options.from, options),
          ...(options.to === undefined ? {} : { to: bytesOf(options.to, options) }),
          limit: options.limit,
          reverse: options.reverse ?? false,
        });
        const json = kvRangeJson(range);
        printer.result(json, () => {
          const rows = json.entries.map(({ key, value }) => [key, value]);
          return `${printer.table(['key', 'value'], rows)}${json.more ? '\n(there are more)' : ''}`;
        });
      }),
    );
}

function bytesOf(text: string, { hex }: KvOptions): Uint8Array {
  if (hex !== true) return utf8(text);
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw failure('ERR_CLI_USAGE', `"${text}" is not hex`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
