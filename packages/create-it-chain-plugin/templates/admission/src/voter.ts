import {
  encodeDraft,
  sameBytes,
  toHex,
  transactionContent,
  withSignature,
  type Chain,
  type PluginContext,
  type TxPool,
} from '@it-chain/contracts';

/** How many heights a vote may take to get into a block, before it is sent again. */
const VOTE_HEIGHTS = 100;

/** Votes for the nodes on a list, in a network whose members are admitted by vote. Where this node is no validator it does nothing. */
export class Voter {
  /** Until which height the vote on a proposal is on its way. */
  readonly #sent = new Map<string, number>();

  constructor(
    readonly admit: ReadonlySet<string>,
    readonly context: Pick<PluginContext, 'identity' | 'log' | 'random' | 'sign'>,
    readonly chain: Pick<Chain, 'tip' | 'members'>,
    readonly pool: Pick<TxPool, 'submit'>,
  ) {}

  async look(): Promise<void> {
    const { height, validators, state } = await this.chain.members({});
    const own = validators.validators.find((one) => sameBytes(one.publicKey, this.context.identity.publicKey));
    if (own === undefined) return;
    for (const { id, action, votes } of state.proposals) {
      const key = action.admit === undefined ? '' : toHex(action.admit.publicKey);
      const voted = votes.some(({ sequence }) => sequence === own.sequence);
      if (!this.admit.has(key) || voted || height < (this.#sent.get(toHex(id)) ?? 0)) continue;
      await this.#vote(id, height + VOTE_HEIGHTS);
      this.context.log.info('voted for a node', { publicKey: key, proposal: toHex(id) });
    }
  }

  async #vote(proposal: Uint8Array, expiresAt: number): Promise<void> {
    const { context } = this;
    const { publicKey } = context.identity;
    const { network } = await this.chain.tip({});
    const membership = { vote: { proposal, approve: true } };
    const draft = encodeDraft({ network, nonce: context.random(8), expiresAt, membership }, publicKey);
    const signature = await context.sign('transaction', network, transactionContent(draft));
    const { entries } = await this.pool.submit({ transactions: [withSignature(draft, signature)] });
    if (entries[0]?.state === 'pending') this.#sent.set(toHex(proposal), expiresAt);
  }
}
