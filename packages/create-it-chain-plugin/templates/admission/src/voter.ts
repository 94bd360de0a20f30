import { ownTransaction, toHex, validatorIndex } from '@it-chain/contracts';
import type { Chain, PluginContext, TxPool } from '@it-chain/contracts';

/** How many heights a vote may take to get into a block, before it is sent again. */
const VOTE_HEIGHTS = 100;

/** Votes for the nodes on a list, in a network whose members are admitted by vote. Where this node is no validator it does nothing. */
export class Voter {
  /** Until which height the vote on a proposal is on its way. */
  readonly #sent = new Map<string, number>();

  constructor(
    readonly admit: ReadonlySet<string>,
    readonly context: Pick<PluginContext, 'identity' | 'log' | 'random' | 'sign'>,
    readonly roles: { readonly chain: Pick<Chain, 'tip' | 'members'>; readonly txpool: Pick<TxPool, 'submit'> },
  ) {}

  async look(): Promise<void> {
    const { height, validators, state } = await this.roles.chain.members({});
    const own = validators.validators[validatorIndex(validators, this.context.identity.publicKey)];
    if (own === undefined) return;
    for (const { id, action, votes } of state.proposals) {
      const candidate = toHex(action.admit?.publicKey ?? new Uint8Array(0));
      const voted = votes.some(({ sequence }) => sequence === own.sequence);
      const onItsWay = height < (this.#sent.get(toHex(id)) ?? 0);
      if (this.admit.has(candidate) && !voted && !onItsWay) await this.#vote(id, height + VOTE_HEIGHTS);
    }
  }

  async #vote(proposal: Uint8Array, expiresAt: number): Promise<void> {
    const { network } = await this.roles.chain.tip({});
    const membership = { vote: { proposal, approve: true } };
    const transaction = await ownTransaction(this.context, { network, expiresAt, membership });
    const { entries } = await this.roles.txpool.submit({ transactions: [transaction] });
    if (entries[0]?.state === 'pending') this.#sent.set(toHex(proposal), expiresAt);
    this.context.log.info('voted for a node', { proposal: toHex(proposal), state: entries[0]?.state });
  }
}
