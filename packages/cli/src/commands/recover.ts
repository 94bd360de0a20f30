import { nodeIdOf } from '@it-chain/contracts';
import type { Command } from 'commander';
import { verb, type Cli, type CommonOptions } from '../cli.js';
import { recoverNetwork, type Recovered } from '../maintenance/recover-network.js';
import { count } from '../terminal/format.js';

interface RecoverVerbOptions extends CommonOptions {
  readonly config?: string;
  readonly newSet?: readonly string[];
  readonly reason?: string;
  readonly file?: string;
  readonly from?: string;
  readonly yes?: boolean;
}

/** `it-chain recover` */
export function recoverCommand(program: Command, cli: Cli): void {
  verb(
    program,
    'recover',
    'where a quorum of the validators is lost for good: go on in a new network from the last certified block of a node that is stopped',
  )
    .option('--config <file>', 'the config of the node')
    .option(
      '--new-set <key,key>',
      'validators of the new network: public keys or node ids of members, this node among them',
      words,
    )
    .option('--reason <text>', 'why the network is recovered; it becomes part of the new genesis')
    .option('--file <file>', 'instead: take the network that another survivor has begun, by the genesis it wrote')
    .option('--from <host:port>', 'instead: the same, by the client API of a node of the new network')
    .option('--yes', 'do it; without, what would be given up is said; the store as it was is kept beside the new one')
    .action(async (options: RecoverVerbOptions) => {
      const printer = cli.printer(options);
      const { config, newSet, reason, file, from, yes = false } = options;
      const progress = (height: number, to: number): void => {
        printer.status(`verified ${count(height)} of ${count(to)} blocks`);
      };
      const done = await recoverNetwork({ config, newSet, reason, file, from, yes, progress }, cli.io);
      printer.result(done, () => report(done));
    });
}

function report({ network, before, height, operator, validators, reason, givenUp, kept, genesis }: Recovered): string {
  const ids = validators.map((key) => nodeIdOf(new Uint8Array(Buffer.from(key, 'hex'))));
  return [
    `the new network is ${network}: it goes on after block ${count(height)} of ${before}`,
    `validators: ${ids.join(', ')}`,
    `begun by ${nodeIdOf(new Uint8Array(Buffer.from(operator, 'hex')))}: ${reason}`,
    ...givenUp.map((what) => `given up: ${what}`),
    `other survivors follow with: it-chain recover --file ${genesis} --yes, or --from HOST:PORT once this node runs`,
    `the store as it was, with the blocks of the network before, is in ${kept}`,
  ].join('\n');
}

const words = (text: string): string[] => text.split(',').filter((word) => word !== '');
