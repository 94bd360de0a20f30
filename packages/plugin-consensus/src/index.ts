import { consensusPlugin } from './consensus-plugin.js';

export { consensusPlugin };
export { ConsensusConfig } from './config.js';
export { step } from './machine/machine.js';
export { createState, leaderAt, type State } from './machine/state.js';
export { explain, type Explanation } from './machine/explain.js';
export {
  type Effect,
  type Input,
  type LogRecord,
  type MachineOptions,
  type OwnVoteType,
  type TimerName,
} from './machine/interface.js';
export {
  SignedVote,
  claimDigest,
  decodeMessage,
  encodeMessage,
  signedBytes,
  votesIn,
  type ConsensusMessage,
  type PreparedClaim,
  type VoteMessage,
} from './machine/messages.js';
export { judgeProposal, judgeRoundChange, type HeightView, type Rejection } from './machine/justification.js';
export { membersOf, type Members } from './machine/members.js';
export default consensusPlugin;
