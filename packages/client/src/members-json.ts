import {
  nodeIdOf,
  toHex,
  type ConsensusReply,
  type KeptEvidenceList,
  type MemberAction,
  type MembersReply,
} from '@it-chain/contracts';

// The shapes below are what scripts read: keys may be added, never renamed.

const textOrNull = (text: string): string | null => (text === '' ? null : text);

/** What is voted on. */
export interface ActionJson {
  kind: 'admit' | 'evict' | 'policy' | 'none';
  /** Of `admit` and `evict`. */
  nodeId?: string;
  publicKey?: string;
  name?: string;
  reason?: string;
  /** Of `policy`; what is absent stays as it is. */
  admission?: string;
  growth?: string;
  allow?: string[];
  disallow?: string[];
}

/** What a proposal would do, as JSON: only what it changes is there. */
export function actionJson({ admit, evict, policy }: MemberAction): ActionJson {
  if (admit !== undefined) {
    const { publicKey, name } = admit;
    return { kind: 'admit', nodeId: nodeIdOf(publicKey), publicKey: toHex(publicKey), name };
  }
  if (evict !== undefined) {
    const { publicKey, reason } = evict;
    return { kind: 'evict', nodeId: nodeIdOf(publicKey), publicKey: toHex(publicKey), reason };
  }
  if (policy === undefined) return { kind: 'none' };
  const { admission, growth, allow, disallow } = policy;
  return {
    kind: 'policy',
    ...(admission === undefined ? {} : { admission }),
    ...(growth === undefined ? {} : { growth }),
    allow: allow.map(toHex),
    disallow: disallow.map(toHex),
  };
}

/** `it-chain members list --json`. */
export interface MembersJson {
  height: number;
  members: {
    nodeId: string;
    publicKey: string;
    name: string | null;
    role: string;
    sequence: number;
    connected: boolean;
  }[];
  /** Validators of the last scheduled set, the approvals that are needed among them, and how many liars they tolerate. */
  validators: number;
  quorum: number;
  tolerated: number;
  admission: string;
  growth: string;
  allowlist: string[];
  minValidators: number;
  leaderTerm: number;
  proposals: {
    id: string;
    proposer: string;
    action: ActionJson;
    expiresAt: number;
    approvals: string[];
    rejections: string[];
  }[];
  /** `readmitted`: the height at which a vote admitted it again, else null. */
  evicted: { nodeId: string; publicKey: string; height: number; reason: string; readmitted: number | null }[];
}

/** The members as `it-chain members list --json` prints them. */
export function membersJson(reply: MembersReply): MembersJson {
  const { height, validators, quorum, tolerated, policy, minValidators, leaderTerm } = reply;
  return {
    height,
    members: reply.members.map(({ nodeId, publicKey, name, role, sequence, connected }) => ({
      nodeId,
      publicKey: toHex(publicKey),
      name: textOrNull(name),
      role,
      sequence,
      connected,
    })),
    validators,
    quorum,
    tolerated,
    admission: policy.admission,
    growth: policy.growth,
    allowlist: policy.allowlist.map(toHex),
    minValidators,
    leaderTerm,
    proposals: reply.proposals.map(({ id, proposer, action, expiresAt, approvals, rejections }) => ({
      id: toHex(id),
      proposer,
      action: actionJson(action),
      expiresAt,
      approvals: [...approvals],
      rejections: [...rejections],
    })),
    evicted: reply.evicted.map(({ publicKey, height: at, reason, readmitted }) => ({
      nodeId: nodeIdOf(publicKey),
      publicKey: toHex(publicKey),
      height: at,
      reason,
      readmitted: readmitted === 0 ? null : readmitted,
    })),
  };
}

/** `it-chain consensus --json`. Times in ms since the epoch. */
export interface ConsensusJson {
  height: number;
  round: number;
  leader: string | null;
  validators: number;
  quorum: number;
  present: number;
  tolerated: number;
  validator: boolean;
  working: boolean;
  since: number | null;
  waiting: string | null;
  complaint: string | null;
  evidence: number;
  views: {
    nodeId: string;
    name: string | null;
    publicKey: string;
    self: boolean;
    present: boolean;
    missingSince: number | null;
    height: number;
    round: number;
    seen: number | null;
  }[];
}

/** The agreement as `it-chain consensus --json` prints it. */
export function consensusJson(reply: ConsensusReply): ConsensusJson {
  const { height, round, validators, quorum, present, tolerated, validator, working, evidence } = reply;
  const timeOrNull = (time: number): number | null => (time === 0 ? null : time);
  return {
    height,
    round,
    leader: textOrNull(reply.leader),
    validators,
    quorum,
    present,
    tolerated,
    validator,
    working,
    since: timeOrNull(reply.since),
    waiting: textOrNull(reply.waiting),
    complaint: textOrNull(reply.complaint),
    evidence,
    views: reply.views.map((view) => ({
      nodeId: view.nodeId,
      name: textOrNull(view.name),
      publicKey: toHex(view.publicKey),
      self: view.self,
      present: view.present,
      missingSince: timeOrNull(view.missingSince),
      height: view.height,
      round: view.round,
      seen: timeOrNull(view.seen),
    })),
  };
}

/** A line of `it-chain members evidence --json`. */
export interface EvidenceJson {
  nodeId: string;
  publicKey: string;
  type: string;
  height: number;
  round: number;
  /** ms since the epoch. */
  seen: number;
  votes: { digest: string; signature: string }[];
}

/** A kept proof of equivocation as `it-chain members evidence --json` prints it. */
export function evidenceJson({ evidence, seen }: KeptEvidenceList['entries'][number]): EvidenceJson {
  const { publicKey, type, height, round } = evidence;
  return {
    nodeId: nodeIdOf(publicKey),
    publicKey: toHex(publicKey),
    type,
    height,
    round,
    seen,
    votes: [
      { digest: toHex(evidence.firstDigest), signature: toHex(evidence.firstSignature) },
      { digest: toHex(evidence.secondDigest), signature: toHex(evidence.secondSignature) },
    ],
  };
}
