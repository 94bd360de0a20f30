import {
  EquivocationEvidence,
  bytes,
  concatBytes,
  evidenceHolds,
  evidenceProblem,
  isItChainError,
  message,
  nested,
  sameBytes,
  sha256,
  toHex,
  uint64,
  utf8,
  type Counter,
  type Infer,
  type Log,
  type Storage,
} from '@it-chain/contracts';

const StoredEvidence = message('StoredEvidence', {
  network: bytes(1, { length: 32 }),
  evidence: nested(2, EquivocationEvidence),
  /** ms since the epoch. */
  seen: uint64(3),
});

/** Evidence and when this node saw it, in ms since the epoch. */
export interface KeptEvidence {
  readonly evidence: EquivocationEvidence;
  readonly seen: number;
}

/** Above all heights in `wal`, so that no commit clears it and no log record lies behind it. */
const PREFIX = concatBytes(new Uint8Array([0xff]), utf8('evidence/'));
const PREFIX_END = concatBytes(new Uint8Array([0xff]), utf8('evidence0'));

/** What an evidence store works with. */
export interface EvidenceStoreDependencies {
  readonly storage: Storage;
  readonly log: Log;
  /** Evidence that was stored. */
  readonly kept: Counter;
}

/**
 * Keeps proofs of equivocation across restarts, bounded: a few of each validator, since one is enough, and the latest of all.
 */
export class EvidenceStore {
  readonly #network: Uint8Array;
  readonly #limits: { readonly maxEvidence: number; readonly maxEvidenceEach: number };
  readonly #with: EvidenceStoreDependencies;
  readonly #byKey = new Map<string, KeptEvidence & { readonly key: Uint8Array }>();
  #last: Promise<void> = Promise.resolve();

  constructor(
    options: { readonly network: Uint8Array; readonly maxEvidence: number; readonly maxEvidenceEach: number },
    dependencies: EvidenceStoreDependencies,
  ) {
    this.#network = options.network;
    this.#limits = options;
    this.#with = dependencies;
  }

  /** What is kept, the latest first. */
  list(): KeptEvidence[] {
    return [...this.#byKey.values()].map(({ evidence, seen }) => ({ evidence, seen })).reverse();
  }

  /** Reads what an earlier run has kept; of another network, or damaged, it is dropped. */
  async load(): Promise<void> {
    const dead: Uint8Array[] = [];
    const read: (KeptEvidence & { readonly key: Uint8Array })[] = [];
    const request = { namespace: 'wal', from: PREFIX, to: PREFIX_END, limit: 0, maxBytes: 0, reverse: false } as const;
    const { entries } = await this.#with.storage.range(request);
    for (const { key, value } of entries) {
      const stored = decode(value);
      if (stored === undefined || !sameBytes(stored.network, this.#network)) dead.push(key);
      else read.push({ key, evidence: stored.evidence, seen: stored.seen });
    }
    read.sort((a, b) => a.seen - b.seen);
    for (const one of read) this.#byKey.set(toHex(one.key), one);
    if (dead.length > 0) await this.#write(dead.map((key) => ({ key })));
  }

  /**
   * Keeps evidence, synced, one write at a time.
   * @returns false where it proves nothing, is kept already, or enough is kept of its signer
   */
  async add(evidence: EquivocationEvidence, seen: number): Promise<boolean> {
    if (evidenceProblem(evidence) !== undefined || !evidenceHolds(this.#network, evidence)) return false;
    const run = this.#last.then(() => this.#store(evidence, seen));
    // The next one is stored whether or not this one was; the caller is told.
    this.#last = run.then(
      () => undefined,
      () => undefined,
    );
    return run;
  }

  async #store(evidence: EquivocationEvidence, seen: number): Promise<boolean> {
    const key = concatBytes(PREFIX, sha256(EquivocationEvidence.encode(evidence)));
    const own = [...this.#byKey.values()].filter((one) => sameBytes(one.evidence.publicKey, evidence.publicKey));
    if (own.length >= this.#limits.maxEvidenceEach || this.#byKey.has(toHex(key))) return false;
    const surplus = this.#byKey.size + 1 - this.#limits.maxEvidence;
    const oldest = [...this.#byKey.values()].slice(0, Math.max(0, surplus)).map((one) => one.key);
    const value = StoredEvidence.encode({ network: this.#network, evidence, seen });
    await this.#write([...oldest.map((one) => ({ key: one })), { key, value }]);
    for (const one of oldest) this.#byKey.delete(toHex(one));
    this.#byKey.set(toHex(key), { key, evidence, seen });
    this.#with.kept.add();
    return true;
  }

  async #write(changes: readonly { readonly key: Uint8Array; readonly value?: Uint8Array }[]): Promise<void> {
    const writes = changes.map((change) => ({ namespace: 'wal' as const, ...change }));
    await this.#with.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }
}

function decode(value: Uint8Array): Infer<typeof StoredEvidence> | undefined {
  try {
    return StoredEvidence.decode(value);
  } catch (error) {
    if (isItChainError(error)) return undefined;
    throw error;
  }
}
