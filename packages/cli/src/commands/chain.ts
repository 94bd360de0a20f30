import { createClient } from '@it-chain/client';
import { isItChainError } from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, type Cli, type NodeVerbOptions } from '../cli.js';
import { verifyOffline } from '../node/verify-offline.js';
import { verifyOnline, type ChainVerdict } from '../node/verify-chain.js';
import { findNode } from '../node/find-node.js';
import { count } from '../terminal/format.js';

/** `it-chain chain verify` */
export function chainCommand(program: Command, cli: Cli): void {
  const chain = program.command('chain').description('the chain of a node');
  nodeVerb(
    chain,
    'verify',
    'check every stored value, every block and every certificate; also of a node that is stopped',
  ).action(async (options: NodeVerbOptions) => {
    const printer = cli.printer(options);
    const progress = (height: number, tip: number): void => {
      printer.status(`verified ${count(height)} of ${count(tip)} blocks`);
    };
    const verdict = await verify(options, cli, progress);
    if (verdict.problems.length > 0) cli.exitCode = 10;
    printer.result(verdict, () =>
      [
        `${verdict.online ? 'running node' : 'stopped node'}: ${count(verdict.entries)} stored values, ${count(verdict.bytes)} bytes`,
        `${count(verdict.verified)} of ${count(verdict.height)} blocks verified from the genesis on`,
        ...verdict.problems.map((problem) => printer.color.red(`damaged: ${problem}`)),
        verdict.problems.length === 0 ? printer.color.green('sound') : '',
      ]
        .filter((line) => line !== '')
        .join('\n'),
    );
  });
}

/** Through the API where the node runs; else by opening its store, which nobody else may hold then. */
async function verify(
  options: NodeVerbOptions,
  cli: Cli,
  progress: (height: number, tip: number) => void,
): Promise<ChainVerdict> {
  const client = createClient(await findNode(options, cli.io));
  try {
    const running = await client.status({ timeoutMs: 5_000 }).then(
      () => true,
      (error: unknown) => {
        if (options.api === undefined && isItChainError(error) && error.code === 'ERR_CLI_CANNOT_CONNECT') return false;
        throw error;
      },
    );
    return running ? await verifyOnline(client, progress) : await verifyOffline(options, cli.io, progress);
  } finally {
    client.close();
  }
}
