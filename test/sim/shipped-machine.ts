import {
  claimDigest,
  createState,
  decodeMessage,
  encodeMessage,
  explain,
  leaderAt,
  signedBytes,
  step,
  votesIn,
  type State,
} from '@it-chain/plugin-consensus';
import type { ConsensusMachine, MachineBuffer } from '@it-chain/testkit';

/** The machine of `@it-chain/plugin-consensus`, as the core simulator takes it. */
export const shippedMachine: ConsensusMachine<State> = {
  create: createState,
  step,
  view: (state) => {
    const { height, round, waiting } = explain(state);
    return { height, round, waiting, validators: state.members.keys, leader: leaderAt(state, 0) };
  },
  buffers,
  claimDigest,
  signedBytes,
  votesIn,
  encode: encodeMessage,
  decode: decodeMessage,
};

/** Everything of a state that peers can fill, with the bound that its documentation promises. */
function buffers(state: State): MachineBuffer[] {
  const { at, members, nextMembers, options } = state;
  const rounds = options.roundWindow + 1;
  const voters = Math.max(1, members.n);
  const both = voters + nextMembers.n;
  const buffer = (name: string, size: number, limit: number): MachineBuffer => ({ name, size, limit });
  return [
    buffer('rounds of proposed votes', at.proposed.size, rounds),
    buffer('rounds of proposals', at.proposals.size, rounds),
    buffer('rounds of prepares', at.prepares.size, rounds),
    buffer('rounds of commits', at.commits.size, rounds + options.roundWindow),
    buffer('rounds of round changes', at.roundChanges.size, rounds),
    buffer(
      'votes of one round',
      Math.max(0, ...[...at.prepares.values(), ...at.commits.values()].map(({ size }) => size)),
      voters,
    ),
    buffer('highest round changes', at.highest.size, voters),
    buffer('reached rounds', at.reached.size, voters),
    buffer('last votes', state.lastVotes.size, both + voters),
    buffer('held messages', state.held.length, 4 + 4 * (both + 1)),
    buffer('own votes', at.own.size, 12),
    buffer('blocks', at.blocks.size, 4 * rounds + 2 * voters),
    buffer('peers', state.peers.size, options.maxPeers),
    buffer('evidence', at.accused.size, 4 * voters),
  ];
}
