import { Boaster } from './boaster.js';
import { CensoringLeader } from './censoring-leader.js';
import { EquivocatingLeader } from './equivocating-leader.js';
import { Garbage } from './garbage.js';
import { LockIgnoringLeader } from './lock-ignoring-leader.js';
import { LyingRoundChange } from './lying-round-change.js';
import { DuplicateSender, Replayer, SelectiveSender, Withholder, WrongSetSigner } from './senders.js';
import type { Strategy } from './strategy.js';
import { Usurper } from './usurper.js';

export { roundChangeOf, Strategy, type Actor } from './strategy.js';
export {
  Boaster,
  CensoringLeader,
  DuplicateSender,
  EquivocatingLeader,
  Garbage,
  LockIgnoringLeader,
  LyingRoundChange,
  Replayer,
  SelectiveSender,
  Usurper,
  Withholder,
  WrongSetSigner,
};

/** A new instance of each strategy by its name. Twins are not among them: they are two processes with one key. */
export const STRATEGIES: Readonly<Record<string, () => Strategy>> = {
  'equivocating-leader': () => new EquivocatingLeader(),
  'lying-round-change': () => new LyingRoundChange(),
  'lock-ignoring-leader': () => new LockIgnoringLeader(),
  'selective-sender': () => new SelectiveSender(),
  replay: () => new Replayer(),
  'duplicate-sender': () => new DuplicateSender(),
  'wrong-set-signer': () => new WrongSetSigner(),
  'censoring-leader': () => new CensoringLeader(),
  withholding: () => new Withholder(),
  garbage: () => new Garbage(),
  usurper: () => new Usurper(),
};

/** Those that need whole nodes besides: the core simulator has nobody who fetches blocks. */
export const NODE_STRATEGIES: Readonly<Record<string, () => Strategy>> = {
  ...STRATEGIES,
  boaster: () => new Boaster(),
};
