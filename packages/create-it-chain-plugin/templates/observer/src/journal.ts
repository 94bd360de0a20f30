import { Block, BlockHeader, hasCode, nodeIdOf, type Chain } from '@it-chain/contracts';
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';

/** A file with one line of JSON per block, without a gap, also after this node was away. */
export class Journal {
  #height: number;
  #work: Promise<void> = Promise.resolve();

  constructor(
    readonly file: string,
    readonly chain: Pick<Chain, 'tip' | 'get'>,
  ) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
    // A crash may have cut the last line off; it is written again.
    if (whole !== lines) truncateSync(file, Buffer.byteLength(whole));
    this.#height = whole.split('\n').length - 1;
  }

  /** Writes what is missing up to the tip, one look after the other. What fails is tried again with the next look. */
  follow(): Promise<void> {
    return (this.#work = this.#work.catch(() => undefined).then(() => this.#catchUp()));
  }

  /** Resolves when nothing is being written. */
  finished(): Promise<void> {
    return this.#work.catch(() => undefined);
  }

  async #catchUp(): Promise<void> {
    const tip = await this.chain.tip({}).catch((error: unknown) => {
      if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return { height: 0 };
      throw error;
    });
    while (this.#height < tip.height) {
      const { block } = await this.chain.get({ height: this.#height + 1 });
      if (block === undefined) return;
      const { header, transactions } = Block.decode(block.block);
      const { height, time, proposer } = BlockHeader.decode(header);
      const line = { height, time, proposer: nodeIdOf(proposer), transactions: transactions.length };
      appendFileSync(this.file, `${JSON.stringify(line)}\n`);
      this.#height = height;
    }
  }
}
