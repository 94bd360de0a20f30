import { nodeIdOf, type BlockReader, type CommittedBlock } from '@it-chain/contracts';
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs';

/** A file with one line of JSON per block. How many lines it has is how far it has come. */
export class Journal implements BlockReader {
  height: number;

  constructor(readonly file: string) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
    // A crash may have cut the last line off; it is written again.
    if (whole !== lines) truncateSync(file, Buffer.byteLength(whole));
    this.height = whole.split('\n').length - 1;
  }

  take({ height, time, proposer, transactions }: CommittedBlock): void {
    const line = { height, time, proposer: nodeIdOf(proposer), transactions: transactions.length };
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
    this.height = height;
  }
}
