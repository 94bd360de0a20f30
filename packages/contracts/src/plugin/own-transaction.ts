import { encodeDraft, transactionContent, withSignature, type TransactionDraft } from '../data/transaction.js';
import type { PluginContext } from './plugin.js';

/**
 * A transaction of this node itself, signed with its key wherever that is: a vote, a proposal, a record of a plugin.
 * @param draft without the nonce, which is drawn
 * @returns the canonical bytes, for `txpool.submit`
 * @throws ERR_BUS_NO_PROVIDER where the process that holds the key is away
 */
export async function ownTransaction(
  context: Pick<PluginContext, 'identity' | 'random' | 'sign'>,
  draft: Omit<TransactionDraft, 'nonce'>,
): Promise<Uint8Array> {
  const encoded = encodeDraft({ ...draft, nonce: context.random(8) }, context.identity.publicKey);
  return withSignature(encoded, await context.sign('transaction', draft.network, transactionContent(encoded)));
}
