import { failure, ownTransaction, type Call, type Membership, type TransactionStatus } from '@it-chain/contracts';
import type { ClientApiDependencies } from './handlers.js';
import { networkFacts, tipIfFounded } from './network-facts.js';
import { combine, refuseExhausted } from './transaction-status.js';

/** Signs a transaction with the key of the node and hands it to the pool. `expiresAt` 0 = the end of the window. */
export async function submitSigned(
  dependencies: ClientApiDependencies,
  body: { readonly application: Uint8Array } | { readonly membership: Membership },
  expiresAt: number,
  call: Call,
): Promise<TransactionStatus> {
  const { context, txpool } = dependencies;
  const facts = await networkFacts(dependencies, call);
  if (facts === undefined) {
    throw failure('ERR_NETWORK_UNFOUNDED', 'this node has neither a network nor a candidate yet');
  }
  const { network, genesis } = facts;
  const last = expiresAt !== 0 ? expiresAt : ((await tipIfFounded(dependencies, call))?.height ?? 0) + genesis.window;
  const transaction = await ownTransaction(context, { network, expiresAt: last, ...body });
  const [status] = (await txpool.submit({ transactions: [transaction] }, call)).entries;
  const [answer] = refuseExhausted([combine(status?.id ?? new Uint8Array(0), status, undefined)]);
  if (answer === undefined) throw failure('ERR_INTERNAL', 'the pool answered without a result');
  return answer;
}

/**
 * Submits a membership transaction of this node.
 * @throws ERR_NETWORK_UNFOUNDED, ERR_TX_REFUSED
 */
export async function submitMembership(
  dependencies: ClientApiDependencies,
  membership: Membership,
  call: Call,
): Promise<TransactionStatus> {
  if ((await tipIfFounded(dependencies, call)) === undefined) {
    throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network whose members it could change');
  }
  const status = await submitSigned(dependencies, { membership }, 0, call);
  if (status.status !== 'rejected') return status;
  throw failure('ERR_TX_REFUSED', `the pool refused the transaction: ${status.code} ${status.reason}`);
}
