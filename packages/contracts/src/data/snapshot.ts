import { failure } from '../errors/fail.js';
import type { SignatureCheck } from '../plugin/plugin.js';
import { bytes, message, nested, optional, repeated, sameBytes, uint32, uint64, type Infer } from '../schema/index.js';
import { BlockHeader, Certificate, headerDigest } from './block.js';
import { certificateChecks } from './certificate.js';
import { verifySignature } from './signing.js';
import type { VerifiedPosition } from './verify-block.js';
import { genesisValidators, networkOf, type Genesis } from './genesis.js';
import { beginningOf } from './recovery.js';
import { SystemState, scheduledSet, stateRootOf, systemRootOf } from './system-state.js';
import { ValidatorSet, validatorIndex, validatorSetHash } from './validator-set.js';

/** Proof of one change of the validator set: a header certified by the set it says holds, and the set after it. */
export const SetChange = message('SetChange', {
  /** Header h, encoded; its `nextValidators` is the hash of V(h+1), which is another set than V(h). */
  header: bytes(1, { maxLength: 1_024 }),
  /** Of V(h). */
  certificate: nested(2, Certificate),
  /** V(h+1). */
  validators: nested(3, ValidatorSet),
});
export type SetChange = Infer<typeof SetChange>;

/**
 * The state after block s, and why it is that: header s+1 names its root and is certified by V(s+1), which follows from
 * the genesis through every change of the set. The state of the application comes in pages beside it.
 */
export const Snapshot = message('Snapshot', {
  /** 1; 2 for what a recovered network begins with, which the genesis itself proves: then there are no headers. */
  version: uint32(1),
  /** s. */
  height: uint64(2),
  /** Header s, encoded; empty in version 2. */
  header: bytes(3, { maxLength: 1_024 }),
  /** Header s+1, encoded; empty in version 2. */
  next: bytes(4, { maxLength: 1_024 }),
  /** Of header s+1; absent in version 2. */
  certificate: optional(nested(5, Certificate)),
  /** SystemState after block s, encoded. */
  system: bytes(6),
  /** Root of the application's state after block s. */
  applicationRoot: bytes(7, { length: 32 }),
  /** Pages of the application's state. */
  pages: uint32(8),
  /** Every change up to header s, in order. */
  sets: repeated(nested(9, SetChange), { maxItems: 10_000 }),
});
export type Snapshot = Infer<typeof Snapshot>;

/** A transaction list of one block, by which its ids are known without its body. */
export const HistoryEntry = message('HistoryEntry', {
  /** The header, encoded. */
  header: bytes(1, { maxLength: 1_024 }),
  /** Id (32 bytes) and signature (64 bytes) of each transaction: the leaves of the header's transaction root. */
  leaves: bytes(2),
});
export type HistoryEntry = Infer<typeof HistoryEntry>;

/** What a peer is asked about snapshots; one of the three. */
export const SnapshotRequest = message('SnapshotRequest', {
  /** A page of the application's state of the snapshot of this height. */
  pageOf: optional(uint64(1)),
  page: uint32(2),
  /** History from this height downwards. */
  historyFrom: optional(uint64(3)),
});
/** The answer: the snapshot that is offered, where neither was asked for. */
export const SnapshotAnswer = message('SnapshotAnswer', {
  snapshot: optional(bytes(1)),
  page: optional(bytes(2)),
  /** Heights going down, without a gap. */
  history: repeated(nested(3, HistoryEntry)),
});

/** What a snapshot says, its form checked; true once all signatures of `checks` are valid. */
export interface ReadSnapshot {
  readonly network: Uint8Array;
  /** Digest of header s; in version 2 the network. */
  readonly digest: Uint8Array;
  /** Time and creator of block s; in version 2 of the genesis. */
  readonly time: number;
  readonly proposer: Uint8Array;
  readonly proposerSequence: number;
  /** True where the header above s is not needed to certify the root: block s did not change the state. */
  readonly rootCertified: boolean;
  readonly system: SystemState;
  readonly systemRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  /** V(s+1). */
  readonly validators: ValidatorSet;
  readonly checks: readonly SignatureCheck[];
}

/**
 * Checks a snapshot with nothing to start from but the genesis. A set may have signed a change of itself only: between two
 * changes the set is the same, so no header in between is needed.
 * @throws ERR_SNAPSHOT_INVALID, ERR_CERTIFICATE_INVALID, ERR_DATA_MALFORMED
 */
export function readSnapshot(genesis: Genesis, snapshot: Snapshot): ReadSnapshot {
  const network = networkOf(genesis);
  const invalid = (what: string): Error =>
    failure('ERR_SNAPSHOT_INVALID', `the snapshot of height ${snapshot.height} ${what}`);
  if (snapshot.version === 2) return readBeginning(genesis, snapshot, invalid);
  if (snapshot.version !== 1) throw invalid(`has the unknown version ${snapshot.version}`);
  if (snapshot.height <= beginningOf(genesis)) throw invalid('lies below the beginning of its network');
  const checks: SignatureCheck[] = [];
  let set = genesisValidators(genesis);
  const certified = (encoded: Uint8Array, certificate: Certificate | undefined): BlockHeader => {
    const header = BlockHeader.decodeCanonical(encoded);
    if (certificate === undefined) throw invalid('has no certificate');
    if (!sameBytes(header.network, network)) throw invalid('is of another network');
    if (certificate.height !== header.height) throw invalid('has a certificate of another height');
    if (!sameBytes(header.validators, validatorSetHash(set))) throw invalid(`leaves out a change before ${header.height}`);
    checks.push(...certificateChecks(certificate, network, set, headerDigest(encoded, network)));
    return header;
  };
  let last = 0;
  for (const change of snapshot.sets) {
    const { height, nextValidators } = certified(change.header, change.certificate);
    if (height <= last || height > snapshot.height) throw invalid(`has a change of height ${height} at the wrong place`);
    if (!sameBytes(nextValidators, validatorSetHash(change.validators))) throw invalid(`has a wrong set of ${height + 1}`);
    set = change.validators;
    last = height;
  }
  const next = certified(snapshot.next, snapshot.certificate);
  const header = BlockHeader.decodeCanonical(snapshot.header);
  const digest = headerDigest(snapshot.header, network);
  if (next.height !== snapshot.height + 1 || header.height !== snapshot.height) throw invalid('has headers of other heights');
  if (!sameBytes(next.previous, digest)) throw invalid('has headers that do not follow each other');
  const system = SystemState.decodeCanonical(snapshot.system);
  if (!sameBytes(next.nextValidators, validatorSetHash(scheduledSet(system)))) throw invalid('has other members');
  const systemRoot = systemRootOf(system);
  const stateRoot = stateRootOf(systemRoot, snapshot.applicationRoot);
  if (!sameBytes(stateRoot, next.previousStateRoot)) throw invalid('has another state root than the block above it');
  const { time, proposer, proposerSequence } = header;
  const rootCertified = sameBytes(stateRoot, header.previousStateRoot);
  return { network, digest, time, proposer, proposerSequence, rootCertified, system, systemRoot, stateRoot, validators: set, checks };
}

/** What a recovered network begins with: the genesis names both roots, so nothing needs a signature but the genesis. */
function readBeginning(genesis: Genesis, snapshot: Snapshot, invalid: (what: string) => Error): ReadSnapshot {
  const { recovery, founder, time } = genesis;
  const network = networkOf(genesis);
  if (recovery?.height !== snapshot.height) throw invalid('is not what its network begins with');
  const { header, next, certificate, sets, applicationRoot } = snapshot;
  if (header.length + next.length + sets.length > 0 || certificate !== undefined) throw invalid('has headers that prove nothing');
  const system = SystemState.decodeCanonical(snapshot.system);
  const systemRoot = systemRootOf(system);
  if (!sameBytes(systemRoot, recovery.systemRoot)) throw invalid('has other members than the genesis');
  if (!sameBytes(applicationRoot, recovery.applicationRoot)) throw invalid('has another state than the genesis');
  const validators = scheduledSet(system);
  if (!sameBytes(validatorSetHash(validators), validatorSetHash(genesisValidators(genesis)))) throw invalid('has other validators');
  return {
    network,
    digest: network,
    time,
    proposer: founder,
    proposerSequence: validators.validators[validatorIndex(validators, founder)]?.sequence ?? 0,
    // Known from the genesis, and yet the first block is made at once: then the new set has signed the state.
    rootCertified: false,
    system,
    systemRoot,
    stateRoot: stateRootOf(systemRoot, applicationRoot),
    validators,
    checks: [],
  };
}

/**
 * The position that a snapshot proves, all signatures checked: where a chain that begins with it is verified from.
 * @throws ERR_SNAPSHOT_INVALID, ERR_CERTIFICATE_INVALID, ERR_DATA_MALFORMED
 */
export function verifiedSnapshot(genesis: Genesis, snapshot: Snapshot): VerifiedPosition {
  const { network, time, digest, system, validators, checks } = readSnapshot(genesis, snapshot);
  for (const { publicKey, message: signed, signature } of checks) {
    if (verifySignature(publicKey, signed, signature)) continue;
    throw failure('ERR_CERTIFICATE_INVALID', `the snapshot of height ${snapshot.height} has an invalid signature`);
  }
  return {
    genesis,
    network,
    height: snapshot.height,
    digest,
    time,
    validators,
    nextValidators: scheduledSet(system),
    system,
  };
}
