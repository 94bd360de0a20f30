import { join } from 'node:path';
import { KvOperation, keyPairFromSeed, sha256, utf8, type TransactionStatus } from '@it-chain/contracts';
import { Register } from '@it-chain/example-notary';
import { TokenOperation } from '@it-chain/example-token';
import { root, type NodeProcess } from './node-process.js';

/** What is sent to an application, and how it is seen that it was done. */
export interface Workload {
  /** The plugin to use instead of `@it-chain/plugin-kv`. */
  readonly application?: string;
  /** A payload of the application that anybody may sign. */
  payload(text: string): Uint8Array;
  /** Sends something of this name to a node; `founder` is the node that founds the network. */
  send(node: NodeProcess, text: string, founder: NodeProcess): Promise<TransactionStatus>;
  /** True where the node's state holds what was sent by this name. */
  holds(node: NodeProcess, text: string): Promise<boolean>;
}

const keys = keyPairFromSeed(sha256(utf8('a user of the workload')));
const hashOf = (text: string): Uint8Array => sha256(utf8(text));

/** The key-value application; the node signs. */
export const kvWorkload: Workload = {
  payload: (text) => KvOperation.encode({ put: { key: utf8(text), value: utf8(text) } }),
  send: (node, text) => node.client.kv.put(text, text),
  holds: async (node, text) => Buffer.from((await node.client.kv.get(text)).value ?? []).toString() === text,
};

/** `examples/notary`; a client signs. */
export const notaryWorkload: Workload = {
  application: join(root, 'examples', 'notary'),
  payload: (text) => Register.encode({ hash: hashOf(text), label: text }),
  send: (node, text) => node.client.send(Register.encode({ hash: hashOf(text), label: text }), keys),
  holds: async (node, text) => (await node.client.query('record', hashOf(text))).found,
};

/** `examples/token`; the founder mints. A client without tokens may send, and is refused in the block. */
export const tokenWorkload: Workload = {
  application: join(root, 'examples', 'token'),
  payload: (text) => TokenOperation.encode({ transfer: { to: hashOf(text), amount: 1 } }),
  send: (_node, text, founder) =>
    founder.client.signAndSubmit(TokenOperation.encode({ mint: { to: hashOf(text), amount: 1 } })),
  holds: async (node, text) => (await node.client.query('balance', hashOf(text))).found,
};
