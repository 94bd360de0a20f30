import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { transactionJson, verifyTransactionProof } from '@it-chain/client';
import { KvOperation, TransactionProof, failure, toHex, utf8 } from '@it-chain/contracts';
import type { Command } from 'commander';
import { idOf, nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { readKey } from '../node/read-key.js';
import { settle, transactionExit, transactionText, waitFor, withTimeout, withWait, type WaitOptions } from './wait.js';

/** `it-chain tx send|get|wait|prove` */
export function txCommand(program: Command, cli: Cli): void {
  const tx = program.command('tx').description('transactions');

  withWait(nodeVerb(tx, 'send <payload...>', 'send a transaction'))
    .addHelpText(
      'after',
      '\nThe payload is for the application: text, 0x and hex digits, or @FILE. For the key-value application also:\n  put KEY VALUE\n  delete KEY',
    )
    .option('--key <file>', 'sign with this key (Ed25519, PKCS#8 PEM) instead of the key of the node')
    .action(async (words: string[], options: NodeVerbOptions & WaitOptions & { key?: string }) => {
      const payload = payloadOf(words, cli.io.cwd);
      await cli.withNode(options, async (client, printer) => {
        const sent =
          options.key === undefined
            ? await client.signAndSubmit(payload)
            : await client.send(payload, await readKey(resolve(cli.io.cwd, options.key)));
        await settle(sent, options, { client, printer, cli });
      });
    });

  nodeVerb(tx, 'get <id>', 'where a transaction stands').action(async (id: string, options: NodeVerbOptions) =>
    cli.withNode(options, async (client, printer) => {
      const json = transactionJson(await client.transaction(idOf(id)));
      printer.result(json, () => transactionText(json, printer));
      cli.exitCode = transactionExit(json);
    }),
  );

  withTimeout(nodeVerb(tx, 'wait <id>', 'wait until a transaction is committed or rejected')).action(
    async (id: string, options: NodeVerbOptions & WaitOptions) =>
      cli.withNode(options, async (client, printer) => {
        const json = transactionJson(await waitFor(idOf(id), options, { client, printer }));
        printer.result(json, () => transactionText(json, printer));
        cli.exitCode = transactionExit(json);
      }),
  );

  nodeVerb(tx, 'prove <id>', 'fetch the offline proof that a transaction is in the chain, and check it').action(
    async (id: string, options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        const [proof, genesis] = await Promise.all([client.proveTransaction(idOf(id)), client.genesis()]);
        const proven = verifyTransactionProof(proof, { network: genesis.network });
        const { height, index, signers } = proven;
        printer.result(
          {
            id: toHex(proven.id),
            height,
            index,
            digest: toHex(proven.digest),
            signers,
            valid: true,
            proof: toHex(TransactionProof.encode(proof)),
          },
          () =>
            `proven: transaction ${toHex(proven.id)} is number ${index} of block ${height}\n${signers.length} validators signed: ${signers.join(', ')}`,
        );
      }),
  );
}

/** The payload that the words of the command line mean. @throws ERR_CLI_USAGE */
export function payloadOf(words: readonly string[], cwd: string): Uint8Array {
  const [first = '', second, third] = words;
  if (first === 'put' && second !== undefined && third !== undefined && words.length === 3) {
    return KvOperation.encode({ put: { key: utf8(second), value: utf8(third) } });
  }
  if (first === 'delete' && second !== undefined && words.length === 2) {
    return KvOperation.encode({ delete: { key: utf8(second) } });
  }
  if (words.length > 1) {
    throw failure('ERR_CLI_USAGE', `the payload "${words.join(' ')}" is more than one word`, {
      hint: 'Quote it, or write: tx send put KEY VALUE.',
    });
  }
  if (first.startsWith('0x')) {
    if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(first)) throw failure('ERR_CLI_USAGE', 'the payload after 0x is not hex');
    return new Uint8Array(Buffer.from(first.slice(2), 'hex'));
  }
  if (first.startsWith('@')) {
    try {
      return new Uint8Array(readFileSync(resolve(cwd, first.slice(1))));
    } catch (cause) {
      throw failure('ERR_CLI_USAGE', `the file ${first.slice(1)} cannot be read`, { cause });
    }
  }
  return utf8(first);
}
