import {
  decodeTransaction,
  headerDigest,
  networkOf,
  type Block,
  type Genesis,
  type Membership,
  type Plugin,
} from '@it-chain/contracts';
import { ChainBench, benchKeys, type CrashingStorage, type MemoryStorage } from '@it-chain/testkit';
import { chainPlugin } from '@it-chain/plugin-chain';

export {
  CHAIN_START as START,
  benchJoin as join,
  benchKeys as keysOf,
  benchTransaction as transaction,
  certifyBlock as certify,
  chainGenesis as genesisOf,
  withHeader,
} from '@it-chain/testkit';

export const promote = (...names: string[]): Membership => ({
  promote: { publicKeys: names.map((name) => benchKeys(name).publicKey) },
});
export const leave: Membership = { leave: {} };

export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;

/** The shipped chain on doubles. */
export class ChainFixture extends ChainBench {
  constructor(name: string, genesis: Genesis, storage?: CrashingStorage, config: object = {}) {
    super(chainPlugin as unknown as Plugin, name, genesis, storage, config);
  }
}

export const digestOf = (block: Block, genesis: Genesis): Uint8Array => headerDigest(block.header, networkOf(genesis));

/** Everything in the keyspaces of a chain, as text, to compare before and after. */
export async function contents(storage: MemoryStorage): Promise<string[]> {
  return ChainBench.contentsOf(storage);
}
