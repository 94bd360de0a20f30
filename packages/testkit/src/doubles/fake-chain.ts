import {
  BlockHeader,
  Certificate,
  failure,
  genesisValidators,
  merklePath,
  policyOf,
  quorumOf,
  toHex,
  type Chain,
  type Receipt,
} from '@it-chain/contracts';
import { leafOf, type FakeLedger, type StoredBlock } from './fake-ledger.js';

/** A call that nobody has asked a fake node to answer. */
export const unused = (): Promise<never> =>
  Promise.reject(failure('ERR_ROLE_UNKNOWN_CALL', 'the fake node does not answer this'));

/** The chain of a fake node: the blocks that it has made. */
export function fakeChain(node: FakeLedger): Chain {
  return {
    build: unused,
    check: unused,
    commit: unused,
    fetch: unused,
    tip: async () => node.tip(),
    get: async ({ height, digest }) => {
      const found =
        digest === undefined ? node.blocks[height - 1] : node.blocks.find((one) => toHex(one.digest) === toHex(digest));
      if (found === undefined) return { digest: new Uint8Array(0) };
      return { block: found.certified, digest: found.digest };
    },
    range: async ({ from, maxCount }) => {
      node.failIfCutOff();
      node.tip();
      const most = maxCount === 0 ? 500 : maxCount;
      return { blocks: node.blocks.slice(from - 1, from - 1 + most).map((one) => one.certified) };
    },
    locate: async ({ ids }) => {
      node.tip();
      return {
        transactions: ids.map((id) => {
          const at = locate(node, id);
          if (at === undefined) return {};
          const receipt: Receipt = { id, code: 0, output: new Uint8Array(0), message: '' };
          return { location: { height: at.block.header.height, index: at.index }, receipt };
        }),
      };
    },
    prove: async ({ id }) => {
      const at = locate(node, id);
      if (at === undefined) throw failure('ERR_BLOCK_NOT_FOUND', `the transaction ${toHex(id)} is not committed`);
      const { block, index } = at;
      return {
        transaction: block.transactions[index]?.encoded ?? new Uint8Array(0),
        header: BlockHeader.encode(block.header),
        certificate: Certificate.decode(block.certified.certificate),
        index,
        path: merklePath(block.transactions.map(leafOf), index),
        validators: genesisValidators(node.genesis),
      };
    },
    validators: async ({ height }) => ({
      height: height === 0 ? node.tip().height + 1 : height,
      validators: genesisValidators(node.genesis),
      quorum: quorumOf(1),
    }),
    roles: async ({ publicKeys }) => {
      node.tip();
      return {
        roles: publicKeys.map((key) => ({
          role: toHex(key) === toHex(node.keys.publicKey) ? ('validator' as const) : ('observer' as const),
        })),
      };
    },
    members: async () => ({
      height: node.tip().height,
      validators: genesisValidators(node.genesis),
      state: node.system,
      policy: policyOf(node.system, node.genesis),
      minValidators: 1,
      leaderTerm: 0,
    }),
  } satisfies Partial<Chain> as Chain;
}

function locate(node: FakeLedger, id: Uint8Array): { readonly block: StoredBlock; readonly index: number } | undefined {
  for (const block of node.blocks) {
    const index = block.transactions.findIndex((one) => toHex(one.id) === toHex(id));
    if (index >= 0) return { block, index };
  }
  return undefined;
}
