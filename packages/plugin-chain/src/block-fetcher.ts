import {
  Block,
  BlockHeader,
  BlockRangeAnswer,
  BlockRangeRequest,
  PEER_KINDS,
  messageOf,
  type CertifiedBlock,
  type Infer,
  type FetchBlocksAnswer,
  type FetchBlocksRequest,
  type Log,
  type Transport,
} from '@it-chain/contracts';

/** Attempts for the first missing height before what is there is answered. */
const ATTEMPTS = 4;
/** Blocks that the first request to a peer asks for; grows while answers are complete. */
const FIRST_SLICE = 32;
/** Fetches in which a peer that gave nothing is passed over, as long as there are others. */
const PASSED_OVER = 16;

interface Slice {
  readonly peer: string;
  readonly from: number;
  readonly to: number;
}

/** Fetches certified blocks from several peers in parallel, each a different range of heights. */
export class BlockFetcher {
  readonly #peers: number;
  readonly #rangeBlocks: number;
  readonly #transport: Transport;
  readonly #log: Log;
  #slice = FIRST_SLICE;
  /** Moves the first peer on, so that the load is spread. */
  #turn = 0;
  /** Requests that a peer has not answered yet. */
  readonly #open = new Map<string, number>();
  /** For how many fetches more a peer that gave nothing is passed over. */
  readonly #passedOver = new Map<string, number>();

  constructor(
    options: { readonly fetchPeers: number; readonly rangeBlocks: number },
    dependencies: { readonly transport: Transport; readonly log: Log },
  ) {
    this.#peers = options.fetchPeers;
    this.#rangeBlocks = options.rangeBlocks;
    this.#transport = dependencies.transport;
    this.#log = dependencies.log;
  }

  /** Blocks without a gap from `from` on and who sent each; none where no peer has the first. Nothing of them is checked but their heights. */
  async fetch(
    request: Infer<typeof FetchBlocksRequest>,
    timeoutMs: number | undefined,
  ): Promise<Infer<typeof FetchBlocksAnswer>> {
    const blocks: CertifiedBlock[] = [];
    const sources: string[] = [];
    const peers = [...new Set(request.peers)];
    if (peers.length === 0 || request.to < request.from) return { blocks, sources };
    this.#forgive();
    for (let attempt = 0; attempt < ATTEMPTS && blocks.length === 0; attempt += 1) {
      const slices = this.#slices(request.from, request.to, this.#promising(peers));
      const answers = await Promise.all(slices.map((slice) => this.#ask(slice, timeoutMs)));
      for (const [index, slice] of slices.entries()) {
        const answer = answers[index] ?? [];
        for (const block of answer) {
          blocks.push(block);
          sources.push(slice.peer);
        }
        if (answer.length < slice.to - slice.from + 1) break;
      }
      this.#adapt(slices, answers);
    }
    return { blocks, sources };
  }

  /** Those that owe no answer and did not fail a moment ago; all where there are none. */
  #promising(peers: readonly string[]): readonly string[] {
    const good = peers.filter((peer) => !this.#open.has(peer) && !this.#passedOver.has(peer));
    return good.length > 0 ? good : peers;
  }

  #forgive(): void {
    for (const [peer, left] of this.#passedOver) {
      if (left > 1) this.#passedOver.set(peer, left - 1);
      else this.#passedOver.delete(peer);
    }
  }

  #slices(from: number, to: number, peers: readonly string[]): Slice[] {
    const slices: Slice[] = [];
    const count = Math.min(this.#peers, peers.length);
    for (let index = 0, start = from; index < count && start <= to; index += 1, start += this.#slice) {
      const peer = peers[(this.#turn + index) % peers.length];
      if (peer !== undefined) slices.push({ peer, from: start, to: Math.min(to, start + this.#slice - 1) });
    }
    this.#turn = (this.#turn + 1) % 1_000_000;
    return slices;
  }

  /** Larger while full slices come back whole, as large as what came where they are cut. */
  #adapt(slices: readonly Slice[], answers: readonly (readonly CertifiedBlock[])[]): void {
    const first = slices[0];
    const got = answers[0]?.length ?? 0;
    if (first === undefined || got === 0) return;
    if (got < first.to - first.from + 1) this.#slice = Math.max(1, got);
    else this.#slice = Math.min(this.#rangeBlocks, this.#slice * 2);
  }

  async #ask(slice: Slice, timeoutMs: number | undefined): Promise<CertifiedBlock[]> {
    const { peer } = slice;
    this.#open.set(peer, (this.#open.get(peer) ?? 0) + 1);
    const blocks = await this.#request(slice, timeoutMs);
    const open = (this.#open.get(peer) ?? 1) - 1;
    if (open > 0) this.#open.set(peer, open);
    else this.#open.delete(peer);
    if (blocks.length === 0) this.#passedOver.set(peer, PASSED_OVER);
    else this.#passedOver.delete(peer);
    return blocks;
  }

  async #request({ peer, from, to }: Slice, timeoutMs: number | undefined): Promise<CertifiedBlock[]> {
    const body = BlockRangeRequest.encode({ from, maxCount: to - from + 1, maxBytes: 0 });
    try {
      const answer = await this.#transport.fetch(
        { peer, kind: PEER_KINDS.blocks, body },
        timeoutMs === undefined ? undefined : { timeoutMs: Math.max(1, Math.floor(timeoutMs / ATTEMPTS)) },
      );
      return consecutive(BlockRangeAnswer.decode(answer.body).blocks, from, to);
    } catch (error) {
      this.#log.debug('a peer gave no blocks', { peer, from, to, reason: messageOf(error) });
      return [];
    }
  }
}

/** The blocks up to the first that does not say the height it should have. */
function consecutive(blocks: readonly CertifiedBlock[], from: number, to: number): CertifiedBlock[] {
  const kept: CertifiedBlock[] = [];
  for (const block of blocks) {
    const expected = from + kept.length;
    const header = BlockHeader.decode(Block.decode(block.block).header);
    if (header.height !== expected || expected > to) break;
    kept.push(block);
  }
  return kept;
}
