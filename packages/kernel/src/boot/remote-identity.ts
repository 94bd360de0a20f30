import {
  callAddress,
  failure,
  Identity,
  nodeIdOf,
  roleAddress,
  type Bus,
  type NodeIdentity,
} from '@it-chain/contracts';

/** The identity of a node in a process that does not hold its key: the id is known, the public key comes over the bus. */
export class RemoteIdentity implements NodeIdentity {
  readonly nodeId: string;
  readonly name: string;
  #publicKey: Uint8Array | undefined;

  constructor(options: { readonly nodeId: string; readonly name: string }) {
    this.nodeId = options.nodeId;
    this.name = options.name;
  }

  /** @throws ERR_BUS_NO_PROVIDER before the stage `bus` is over */
  get publicKey(): Uint8Array {
    if (this.#publicKey !== undefined) return this.#publicKey;
    throw failure('ERR_BUS_NO_PROVIDER', 'the public key of this node is not known before the bus is open', {
      hint: 'read context.identity.publicKey in start, not in setup',
    });
  }

  /** Asks the process that holds the key. @throws ERR_BUS_NO_PROVIDER, ERR_CONFIG_INVALID for another node's key */
  async learn(bus: Bus, timeoutMs: number): Promise<void> {
    await bus.waitForRole(roleAddress(Identity), timeoutMs);
    const { get } = Identity.calls;
    const body = await bus.request(roleAddress(Identity), callAddress(Identity, get), get.in.encode({}), {
      timeoutMs: get.timeoutMs,
    });
    const { publicKey } = get.out.decode(body);
    if (nodeIdOf(publicKey) !== this.nodeId) {
      throw failure('ERR_CONFIG_INVALID', `node.id is ${this.nodeId}, but the bus belongs to ${nodeIdOf(publicKey)}`, {
        data: { path: 'node.id' },
      });
    }
    this.#publicKey = publicKey;
  }
}
