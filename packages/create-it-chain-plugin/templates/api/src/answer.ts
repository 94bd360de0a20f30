import { isItChainError, nodeIdOf, readBlock, toHex, type Chain } from '@it-chain/contracts';

/** What goes back over HTTP. */
export interface Answer {
  readonly status: number;
  readonly body: object;
}
const wrong = (status: number, code: string, message: string): Answer => ({ status, body: { code, message } });

/** `GET /tip` and `GET /blocks/HEIGHT`. Never rejects: an error of the node becomes 503 with its code. */
export async function answer(chain: Pick<Chain, 'tip' | 'get'>, method: string, url: string): Promise<Answer> {
  if (method !== 'GET') return wrong(405, 'ERR_HTTP_METHOD', 'only GET is answered');
  try {
    if (url === '/tip') {
      const { height, digest, time, network } = await chain.tip({});
      return { status: 200, body: { height, time, digest: toHex(digest), network: toHex(network) } };
    }
    const asked = /^\/blocks\/(\d{1,15})$/.exec(url)?.[1];
    if (asked === undefined) return wrong(404, 'ERR_HTTP_PATH', 'there are /tip and /blocks/HEIGHT');
    const { block, digest } = await chain.get({ height: Number(asked) });
    if (block === undefined) return wrong(404, 'ERR_BLOCK_NOT_FOUND', `there is no block ${asked}`);
    const { height, time, proposer, transactions } = readBlock(block);
    const names = { proposer: nodeIdOf(proposer), digest: toHex(digest) };
    return { status: 200, body: { height, time, ...names, transactions: transactions.length } };
  } catch (error) {
    return isItChainError(error) ? wrong(503, error.code, error.message) : wrong(500, 'ERR_INTERNAL', 'it failed');
  }
}
