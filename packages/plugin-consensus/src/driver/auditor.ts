import { nodeIdOf, sameBytes, type Chain, type FatalKind } from '@it-chain/contracts';
import { readDecided, violation } from './block-sync.js';
import type { VerifiedMessage } from './inbox.js';
import type { Session } from './session.js';

/** Compares certified blocks of committed heights with ours: two different ones mean that safety is broken. */
export class Auditor {
  readonly #chain: Chain;
  readonly #fatal: (kind: FatalKind, error: Error) => void;

  constructor(dependencies: { readonly chain: Chain; readonly fatal: (kind: FatalKind, error: Error) => void }) {
    this.#chain = dependencies.chain;
    this.#fatal = dependencies.fatal;
  }

  /** A peer sent a decided block of a height that is committed here. */
  async judge(session: Session, { content, from }: VerifiedMessage): Promise<void> {
    if (content.kind !== 'decided') return;
    const { certificate, block } = content;
    const { height } = certificate;
    const { digest } = await this.#chain.get({ height });
    if (digest.length !== 32 || sameBytes(digest, certificate.digest)) return;
    const read = readDecided(block, certificate, nodeIdOf(from), session.network);
    this.#conclude(height, digest, await session.sync.judge(read, height, digest));
  }

  /** A peer claims another block at a height that is committed here: it has to show it. */
  async ask(session: Session, { peer, height }: { readonly peer: Uint8Array; readonly height: number }): Promise<void> {
    const { digest } = await this.#chain.get({ height });
    if (digest.length !== 32) return;
    this.#conclude(height, digest, await session.sync.audit(nodeIdOf(peer), height, digest));
  }

  #conclude(height: number, ours: Uint8Array, theirs: Uint8Array | undefined): void {
    if (theirs !== undefined) this.#fatal('safety', violation(height, ours, theirs));
  }
}
