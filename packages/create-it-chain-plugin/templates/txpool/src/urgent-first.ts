import type { PoolOrder, WaitingTransaction } from '@it-chain/contracts';

/** What would expire within so many blocks goes first, the soonest before all; everything else goes as it came. */
export function urgentFirst(urgentHeights: number): PoolOrder {
  return (waiting, { height }) => {
    const isUrgent = ({ expiresAt }: WaitingTransaction) => expiresAt < height + urgentHeights;
    const urgent = waiting.filter(isUrgent).sort((a, b) => a.expiresAt - b.expiresAt);
    return [...urgent, ...waiting.filter((one) => !isUrgent(one))];
  };
}
