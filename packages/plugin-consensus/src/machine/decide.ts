import { fromHex, toHex, type Block, type Certificate, type ChainTip, type Seal } from '@it-chain/contracts';
import { blockDigest } from './justification.js';
import { membersOf } from './members.js';
import type { Decided } from './messages.js';
import { quorumDigest, votesFor } from './pool.js';
import { armRebroadcast, armRoundTimer } from './rounds.js';
import { emptyHeight, type Hex, type State, type Turn } from './state.js';

/** R4: a quorum of COMMITs of any one round for a block this node holds. @returns true where it decided */
export function decideCommitted(turn: Turn): boolean {
  const { state } = turn;
  const { at } = state;
  for (const round of [...at.commits.keys()].sort((a, b) => a - b)) {
    const digest = quorumDigest(at.commits, round, state.members.q);
    if (digest === undefined) continue;
    const known = at.blocks.get(digest);
    if (known === undefined) {
      wantBlock(turn, round, digest);
      continue;
    }
    decide(turn, certify(state, round, digest), known.block, known.stored);
    return true;
  }
  return false;
}

/** The block is decided and missing here: one of its signers has it. Asked again, of the next one, with each rebroadcast. */
function wantBlock(turn: Turn, round: number, digest: Hex): void {
  const { state, out } = turn;
  const { at } = state;
  const bytes = fromHex(digest, 32);
  const signers = votesFor(at.commits, round, digest).map(({ signer }) => signer);
  const asked = signers[at.attempt % signers.length];
  if (at.wanted.has(digest) || bytes === undefined || asked === undefined) return;
  at.wanted.add(digest);
  const content = { kind: 'want', height: state.height, digest: bytes } as const;
  out.push({ type: 'send', to: [asked], content, attempt: at.attempt });
  if (at.rebroadcasting) return;
  at.rebroadcasting = true;
  const { height, options } = state;
  out.push({ type: 'set-timer', timer: 'rebroadcast', height, round: 0, ms: options.rebroadcastMs });
}

/** The certificate: exactly a quorum of COMMIT signatures, in the order of the set. */
function certify(state: State, round: number, digest: Hex): Certificate {
  const votes = votesFor(state.at.commits, round, digest);
  const seals: Seal[] = votes
    .map(({ signer, signature }) => ({ validator: state.members.index.get(toHex(signer)) ?? 0, signature }))
    .sort((a, b) => a.validator - b.validator)
    .slice(0, state.members.q);
  return { height: state.height, round, digest: votes[0]?.digest ?? new Uint8Array(32), seals };
}

/** DECIDED of the open height, its certificate verified by the driver. */
export function onDecided(turn: Turn, decided: Decided): void {
  const { certificate, block } = decided;
  const { state } = turn;
  const digest = toHex(certificate.digest);
  if (certificate.height !== state.height) return;
  if (state.at.deciding !== undefined) {
    reportViolation(turn, digest);
    return;
  }
  if (toHex(blockDigest(block, state.options.network)) !== digest) return;
  decide(turn, certificate, block, false);
}

function decide(turn: Turn, certificate: Certificate, block: Block, stored: boolean): void {
  const { state, out } = turn;
  const { at, height } = state;
  at.deciding = toHex(certificate.digest);
  armRoundTimer(turn);
  armRebroadcast(turn);
  out.push({ type: 'decide', height, digest: certificate.digest, block, stored, certificate });
}

/** After a decision of this height: a quorum for another block is the end of safety, and must not pass unseen. */
export function watchForViolation(turn: Turn): void {
  const { at, members } = turn.state;
  if (at.deciding === undefined) return;
  for (const round of at.commits.keys()) {
    const digest = quorumDigest(at.commits, round, members.q);
    if (digest !== undefined) reportViolation(turn, digest);
  }
}

function reportViolation(turn: Turn, digest: Hex): void {
  const { state, out } = turn;
  const first = fromHex(state.at.deciding ?? '', 32);
  const second = fromHex(digest, 32);
  if (first === undefined || second === undefined || digest === state.at.deciding) return;
  out.push({ type: 'violation', height: state.height, first, second });
}

/** ENTER: the height above a new tip. Everything of the height below is thrown away. */
export function enterHeight(turn: Turn, tip: ChainTip): void {
  const { state, out } = turn;
  if (state.at.armed) out.push({ type: 'clear-timer', timer: 'round' });
  if (state.at.rebroadcasting) out.push({ type: 'clear-timer', timer: 'rebroadcast' });
  state.tip = tip;
  state.height = tip.height + 1;
  state.members = membersOf(tip.validators);
  state.nextMembers = membersOf(tip.nextValidators);
  state.at = emptyHeight();
  state.statusAttempt = 0;
  // Whoever is away now may not be the one who leads next.
  state.work = { ...state.work, leaderDown: false };
  state.audited.clear();
  for (const key of state.lastVotes.keys()) {
    if (!state.members.index.has(key) && !state.nextMembers.index.has(key)) state.lastVotes.delete(key);
  }
}
