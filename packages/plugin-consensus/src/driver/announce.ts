import { Consensus, nodeIdOf, type PluginContext } from '@it-chain/contracts';
import type { Effect } from '../machine/interface.js';
import type { Members } from '../machine/members.js';

type Context = Pick<PluginContext, 'emit' | 'log' | 'metrics'>;

/** Tells that a height or round was entered, or that the leader is another one. */
export function tellRound(
  context: Context,
  { n }: Members,
  { height, round, leader }: Extract<Effect, { type: 'round' }>,
): void {
  const { log, metrics } = context;
  metrics.gauge('consensus_height', 'The height that is open').set(height);
  metrics.gauge('consensus_round', 'Highest round of it that f+1 validators were seen in').set(round);
  metrics.gauge('consensus_validators', 'Validators of the open height').set(n);
  if (round > 0) log.info('the lead has moved on', { height, round, leader: nodeIdOf(leader) });
  void context.emit(Consensus.events.round, { height, round, leader });
}

/** Tells that a validator signed two votes that exclude each other. */
export function tellEvidence(context: Context, { first, second }: Extract<Effect, { type: 'evidence' }>): void {
  const { signer: publicKey, height, round, type } = first;
  context.log.warn('a validator signed two votes that exclude each other', {
    peer: nodeIdOf(publicKey),
    height,
    round,
    type,
  });
  const half = ({ digest, signature }: typeof first): Uint8Array => Buffer.concat([digest, signature]);
  void context.emit(Consensus.events.evidence, {
    publicKey,
    height,
    round,
    type,
    first: half(first),
    second: half(second),
  });
}
