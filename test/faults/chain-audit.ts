import type { Client } from '@it-chain/client';
import {
  Block,
  BlockHeader,
  Certificate,
  type Genesis,
  certificateChecks,
  sameBytes,
  toHex,
  transactionId,
  verifiedGenesis,
  verifyNextBlock,
  verifySignature,
  decodeTransaction,
  type BlockReply,
  type VerifiedPosition,
} from '@it-chain/contracts';

const PAGE = 100;

/** A chain reader that trusts no node: it walks from the genesis and compares all nodes block by block. */
export class ChainAudit {
  /** Each committed id and in how many places it stands. */
  readonly committed = new Map<string, number>();
  /** Ids of what nodes send themselves: membership. */
  readonly membership = new Set<string>();
  /** State root after each height, as the header above certifies it. */
  readonly roots = new Map<number, string>();
  #at: VerifiedPosition;

  constructor(genesis: Genesis) {
    this.#at = verifiedGenesis(genesis);
  }

  get height(): number {
    return this.#at.height;
  }

  /**
   * Goes on to the lowest tip of these nodes: form, parents, Merkle roots, signatures, validator sets and certificates of
   * the first node's chain; the same bytes, and a certificate that holds, from every other one.
   * @throws where any of it does not hold
   */
  async advance(clients: readonly Client[]): Promise<void> {
    const tips = await Promise.all(clients.map(async (client) => (await client.status()).height));
    const target = Math.min(...tips);
    while (this.#at.height < target) {
      const from = this.#at.height + 1;
      const limit = Math.min(PAGE, target - this.#at.height);
      const pages = await Promise.all(clients.map((client) => client.blocks(from, limit)));
      const count = Math.min(...pages.map(({ length }) => length));
      if (count === 0) throw new Error(`a node at height ${target} gives no block ${from}`);
      for (let index = 0; index < count; index += 1) this.#take(pages.map((page) => page[index]));
    }
  }

  #take(replies: readonly (BlockReply | undefined)[]): void {
    const [first, ...others] = replies;
    if (first === undefined) throw new Error(`block ${this.#at.height + 1} is missing`);
    const at = this.#at;
    const next = verifyNextBlock(at, first.certified);
    others.forEach((other, index) => this.#compare(at, next, first, other, index + 2));
    const block = Block.decode(first.certified.block);
    for (const encoded of block.transactions) {
      const id = toHex(transactionId(encoded, at.network));
      this.committed.set(id, (this.committed.get(id) ?? 0) + 1);
      if (decodeTransaction(encoded).value.membership !== undefined) this.membership.add(id);
    }
    this.roots.set(at.height, toHex(BlockHeader.decode(block.header).previousStateRoot));
    this.#at = next;
  }

  #compare(
    at: VerifiedPosition,
    next: VerifiedPosition,
    first: BlockReply,
    other: BlockReply | undefined,
    node: number,
  ): void {
    if (other === undefined || !sameBytes(other.certified.block, first.certified.block)) {
      throw new Error(`agreement: block ${next.height} of node ${node} is another one than that of node 1`);
    }
    const certificate = Certificate.decode(other.certified.certificate);
    for (const check of certificateChecks(certificate, at.network, at.validators, next.digest)) {
      if (verifySignature(check.publicKey, check.message, check.signature)) continue;
      throw new Error(`validity: node ${node} has a certificate of block ${next.height} with a false seal`);
    }
  }
}
