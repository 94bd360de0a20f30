import { blockJson, type BlockJson, type Client } from '@it-chain/client';
import { Block, BlockHeader, failure, toHex, type BlockReply, type ValidatorSet } from '@it-chain/contracts';
import type { Command } from 'commander';
import { nodeVerb, wholeNumber, type Cli, type NodeVerbOptions } from '../cli.js';
import { short, timeText } from '../terminal/format.js';
import type { Printer } from '../terminal/printer.js';

/** `it-chain block get|follow` */
export function blockCommand(program: Command, cli: Cli): void {
  const block = program.command('block').description('blocks');

  nodeVerb(block, 'get [which]', 'a block by height or digest; without either the last one').action(
    async (which: string | undefined, options: NodeVerbOptions) =>
      cli.withNode(options, async (client, printer) => {
        const signers = new Signers(client);
        const json = await signers.name(await client.block(whichOf(which)));
        printer.result(json, () => blockText(json, printer));
      }),
  );

  nodeVerb(block, 'follow', 'every new block')
    .option('--from <height>', 'begin with this height', wholeNumber, 0)
    .option('--count <blocks>', 'stop after so many', wholeNumber)
    .action(async (options: NodeVerbOptions & { from: number; count?: number }) =>
      cli.withNode(options, async (client, printer) => {
        const signers = new Signers(client);
        await cli.untilStopped(async (signal) => {
          let seen = 0;
          for await (const one of client.followBlocks(options.from, { signal })) {
            const json = await signers.name(one);
            printer.result(json, () => blockLine(json));
            seen += 1;
            if (options.count !== undefined && seen >= options.count) return;
          }
        });
      }),
    );
}

/** Names the signers of blocks; the validators of a height are asked for only where the header shows other ones. */
class Signers {
  #known: { readonly hash: string; readonly set: ValidatorSet } | undefined;
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async name(reply: BlockReply): Promise<BlockJson> {
    const { validators } = BlockHeader.decode(Block.decode(reply.certified.block).header);
    const hash = toHex(validators);
    if (this.#known?.hash !== hash)
      this.#known = { hash, set: (await this.#client.validators(reply.height)).validators };
    return blockJson(reply, this.#known.set);
  }
}

function whichOf(text: string | undefined): number | Uint8Array {
  if (text === undefined || text === 'latest') return 0;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  if (/^[0-9a-fA-F]{64}$/.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
  throw failure('ERR_CLI_USAGE', `"${text}" is neither a height from 1 on nor a digest of 64 hex digits`);
}

function blockText(json: BlockJson, printer: Printer): string {
  const head = printer.pairs([
    ['block', String(json.height)],
    ['digest', json.digest],
    ['previous', json.previous],
    ['proposer', json.proposer],
    ['time', timeText(json.time)],
    ['signed by', `${json.certificate.signers.join(', ')} in round ${json.certificate.round}`],
    ['holds', `${json.transactions.length} transactions`],
  ]);
  return [head, ...json.transactions.map((id) => `  ${id}`)].join('\n');
}

function blockLine({ height, digest, transactions, proposer, certificate, time }: BlockJson): string {
  return `${timeText(time)}  block ${height}  ${short(digest)}  ${transactions.length} transactions  proposer ${short(proposer)}  ${certificate.signers.length} signatures`;
}
