import { faultTolerance, nodeIdOf, sameBytes, toHex, type Log, type SystemState } from '@it-chain/contracts';

/** Validators have left their names behind. */
interface Member {
  readonly publicKey: Uint8Array;
  readonly name?: string;
}
interface Standing {
  readonly member: Member;
  readonly role: 'validator' | 'learner';
}

/** Tells in the log what a block has changed about the members; `height` is that of the block. */
export function tellMembers(
  log: Pick<Log, 'info' | 'warn'>,
  before: SystemState,
  after: SystemState,
  height: number,
): void {
  // Blocks without membership transactions pass the state on as it is.
  if (before === after) return;
  const [were, are] = [rolesOf(before), rolesOf(after)];
  for (const [key, { member, role }] of are) {
    const was = were.get(key)?.role;
    const facts = { member: nodeIdOf(member.publicKey), height };
    if (was === undefined) log.info('a node is a member now', { ...facts, called: member.name, role });
    else if (was !== role) log.info('a learner is promoted', { ...facts, votesFrom: height + 2 });
  }
  for (const [key, { member }] of were) {
    if (are.has(key)) continue;
    const facts = { member: nodeIdOf(member.publicKey), height };
    const eviction = after.evicted.find((one) => one.readmitted === 0 && sameBytes(one.publicKey, member.publicKey));
    if (eviction === undefined) log.info('a member has left', facts);
    else log.warn('a member was evicted', { ...facts, reason: eviction.reason });
  }
  tellTolerance(log, before, after, height);
}

function rolesOf({ validators, learners }: SystemState): ReadonlyMap<string, Standing> {
  const rows = (members: readonly Member[], role: Standing['role']): [string, Standing][] =>
    members.map((member) => [toHex(member.publicKey), { member, role }]);
  return new Map([...rows(validators, 'validator'), ...rows(learners, 'learner')]);
}

function tellTolerance(log: Pick<Log, 'warn'>, before: SystemState, after: SystemState, height: number): void {
  const [was, is] = [faultTolerance(before.validators.length), faultTolerance(after.validators.length)];
  if (is >= was) return;
  log.warn('fewer Byzantine validators are tolerated', {
    height: height + 2,
    validators: after.validators.length,
    tolerated: is,
    before: was,
  });
}
