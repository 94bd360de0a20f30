import { Storage, failure, p2pKeys, type Namespace } from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';
import { copyNamespace } from './copy-namespace.js';
import { StoppedNode, type StoppedNodeOptions } from './stopped-node.js';
import { rebuildFolder } from './swap-store.js';

/** What the store of a new epoch is made from. */
export interface BeginEpochOptions {
  readonly config: string | undefined;
  readonly dataDir: string;
  readonly identity: StoppedNodeOptions['identity'];
  /** The store of the network before. */
  readonly old: Storage;
  /** Of the new network. */
  readonly genesis: Uint8Array;
  readonly progress: (height: number, to: number) => void;
}

/** The consensus log is left behind: its votes are for the network before. */
const COPIED: readonly Namespace[] = ['chain', 'app', 'pool', 'p2p'];

/**
 * Copies the store of a stopped node beside it and lets chain change the copy over to the new network. Nothing of the old
 * store is changed.
 * @throws ERR_RECOVERY_REFUSED, ERR_STORAGE_DAMAGED
 */
export async function beginEpoch(options: BeginEpochOptions, io: Io): Promise<void> {
  const { config, dataDir, identity, old, genesis } = options;
  const verb = 'recover';
  const flags = [{ path: 'node.dataDir', value: rebuildFolder(dataDir) }];
  // The application must find its state at its start, so the copy is whole before the other parts open it.
  const store = await StoppedNode.open({ config, verb, identity, flags, roles: [Storage.name] }, io);
  try {
    if ((await store.genesis()) !== undefined) {
      throw failure('ERR_RECOVERY_REFUSED', 'the storage of this node is not in its data directory', {
        hint: 'Recover a node whose storage keeps its files there, as plugin-leveldb does.',
      });
    }
    for (const namespace of COPIED) await copyNamespace(old, store.storage, namespace);
    await store.storage.write({
      // They name a leader and an address of the network before.
      writes: [p2pKeys.leader, p2pKeys.self].map((key) => ({ namespace: 'p2p', key })),
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
  } finally {
    await store.stop();
  }
  const node = await StoppedNode.open({ config, verb, identity, flags }, io);
  try {
    if (node.chain.recover === undefined) {
      throw failure('ERR_RECOVERY_REFUSED', 'the chain plugin of this node does not know how to recover a network');
    }
    await node.chain.recover({ genesis });
  } finally {
    await node.stop();
  }
}
