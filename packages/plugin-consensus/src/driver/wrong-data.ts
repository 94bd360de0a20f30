import { isItChainError } from '@it-chain/contracts';

const WRONG = new Set(['ERR_CERTIFICATE_INVALID', 'ERR_DATA_MALFORMED', 'ERR_BLOCK_INVALID', 'ERR_SNAPSHOT_INVALID']);

/** Whether an error says that data does not hold: whoever sent it answers for that with its standing. */
export const isWrong = (error: unknown): error is Error => isItChainError(error) && WRONG.has(error.code);
