import { fromHex, type Clock, type ConsensusStatus } from '@it-chain/contracts';
import { explain } from '../machine/explain.js';
import type { Session } from './session.js';

/** What the driver knows besides the machine. Keys are public keys in hex. */
export interface StatusFacts {
  readonly clock: Clock;
  /** When each peer was heard last, in ms since the epoch. */
  readonly seen: ReadonlyMap<string, number>;
  /** Since when a validator has had no session, in monotonic ms. */
  readonly down: ReadonlyMap<string, number>;
  /** When the open height was entered, in ms since the epoch. */
  readonly entered: number;
}

/** The answer to `consensus.status`; without a session the node belongs to no network. */
export function describeStatus(session: Session | undefined, facts: StatusFacts): ConsensusStatus {
  if (session === undefined) {
    const waiting = 'this node belongs to no network yet';
    return { height: 0, round: 0, leader: new Uint8Array(0), quorum: 0, validator: false, views: [], waiting };
  }
  const { height, round, leader, quorum, validator, views, waiting, working } = explain(session.state);
  return {
    height,
    round,
    leader: fromHex(leader, 32) ?? new Uint8Array(0),
    quorum,
    validator,
    views: views.map((view) => ({
      publicKey: fromHex(view.key, 32) ?? new Uint8Array(32),
      height: view.height,
      round: view.round,
      seen: facts.seen.get(view.key) ?? 0,
      present: view.present,
      missingSince: view.present ? 0 : missingSince(view.key, facts),
    })),
    waiting: waiting.slice(0, 512),
    since: facts.entered,
    working,
    complaint: session.watch.describe(height).slice(0, 512),
  };
}

/** When a validator without a session was first seen to have none, in ms since the epoch. */
function missingSince(key: string, { clock, down }: StatusFacts): number {
  const since = down.get(key);
  return since === undefined ? clock.now() : Math.round(clock.now() - (clock.monotonic() - since));
}
