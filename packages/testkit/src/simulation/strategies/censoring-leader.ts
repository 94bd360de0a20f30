import { Strategy } from './strategy.js';

/** Leads as it should and leaves the transactions of some out of every block. */
export class CensoringLeader extends Strategy {
  readonly name = 'censoring-leader';

  override admit(transaction: string): boolean {
    return transaction.startsWith('members=') || transaction.length % 2 === 0;
  }
}
