import { toHex } from '@it-chain/contracts';
import type { Keyring } from './keyring.js';
import type { MachineInput } from './machine.js';

/** An input in the words of a trace. */
export function describe(input: MachineInput, keyring: Keyring): string {
  if (input.type === 'message') {
    const { content } = input;
    const from = keyring.indexOf(input.from);
    if ('vote' in content) {
      const { height, round, digest } = content.vote;
      return `<- ${from} ${content.kind.toUpperCase()} ${height}/${round} ${toHex(digest).slice(0, 8)}`;
    }
    const at = content.kind === 'decided' ? content.certificate.height : content.height;
    return `<- ${from} ${content.kind.toUpperCase()} ${at}`;
  }
  if (input.type === 'signed') {
    const { kind, vote } = input.record.message;
    return `says ${kind.toUpperCase()} ${vote.height}/${vote.round} ${toHex(vote.digest).slice(0, 8)}`;
  }
  if (input.type === 'committed') return `commits ${input.tip.height} ${toHex(input.tip.digest).slice(0, 8)}`;
  if (input.type === 'timeout') return `${input.timer} timeout ${input.height}/${input.round}`;
  if (input.type === 'work') return `work: pooled ${input.pooled}, leader down ${input.leaderDown}`;
  return input.type;
}
