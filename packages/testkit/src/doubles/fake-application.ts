import { compareBytes, ItChainError, KvRangeAnswer, KvRangeQuery, toHex, type Application } from '@it-chain/contracts';
import { unused } from './fake-chain.js';
import type { FakeLedger } from './fake-ledger.js';

/** The key-value state of a fake node, without proofs. */
export function fakeApplication(node: FakeLedger): Application {
  return {
    info: async () => ({ name: 'kv/1', emptyRoot: node.roots().applicationRoot }),
    check: unused,
    execute: unused,
    query: async ({ path, data, root }) => {
      if (node.staleQueries > 0) {
        node.staleQueries -= 1;
        throw new ItChainError('ERR_KV_STALE_ROOT', 'the root was overtaken', { retryable: true });
      }
      if (toHex(root) !== toHex(node.roots().applicationRoot)) {
        throw new ItChainError('ERR_KV_STALE_ROOT', 'the root was overtaken', { retryable: true });
      }
      const none = { proof: new Uint8Array(0), code: 0 };
      if (path !== 'range') {
        const value = node.state.get(toHex(data));
        return { found: value !== undefined, data: value ?? new Uint8Array(0), ...none };
      }
      const { from, to, limit } = KvRangeQuery.decode(data);
      const all = [...node.state]
        .map(([key, value]) => ({ key: new Uint8Array(Buffer.from(key, 'hex')), value }))
        .filter(({ key }) => compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0))
        .sort((a, b) => compareBytes(a.key, b.key));
      const most = limit === 0 ? 100 : limit;
      const answer = { entries: all.slice(0, most), more: all.length > most };
      return { found: true, data: KvRangeAnswer.encode(answer), ...none };
    },
  } satisfies Partial<Application> as Application;
}
