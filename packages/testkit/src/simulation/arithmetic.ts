// The numbers of the consensus document, written down a second time: an oracle that asked the code under test would agree
// with whatever is wrong there.

/** Votes that decide among `n`: at least two thirds. */
export const quorumAmong = (n: number): number => Math.ceil((2 * n) / 3);

/** Byzantine validators among `n` that are tolerated: less than a third. */
export const toleratedAmong = (n: number): number => Math.ceil(n / 3) - 1;
