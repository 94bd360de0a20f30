import type { Application, Chain, Consensus, P2p, Storage, Transport, TxPool } from '@it-chain/contracts';
import { fakeApplication } from './fake-application.js';
import { fakeChain } from './fake-chain.js';
import { FakeLedger } from './fake-ledger.js';
import { fakeP2p, fakeTransport } from './fake-peers.js';
import { fakeTxPool } from './fake-txpool.js';

/** The roles that a client API is built on. */
export interface FakeRoles {
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly p2p: P2p;
  readonly consensus: Consensus;
  readonly application: Application;
  readonly storage: Storage;
  readonly transport: Transport;
}

/**
 * A whole node without a network, for tests of clients: one validator, blocks that are really built, hashed and signed, a
 * key-value state without proofs. A block is made only when the test asks for it with {@link FakeNode.commit}.
 */
export class FakeNode extends FakeLedger {
  /** All roles as plain objects. */
  get roles(): FakeRoles {
    return {
      chain: fakeChain(this),
      txpool: fakeTxPool(this),
      p2p: fakeP2p(this),
      consensus: {
        status: async () =>
          this.consensus ?? {
            height: this.founded ? this.height + 1 : 0,
            round: 0,
            leader: this.founded ? this.keys.publicKey : new Uint8Array(0),
            quorum: this.founded ? 1 : 0,
            validator: this.founded,
            views: [],
            waiting: '',
          },
        evidence: async () => ({ entries: this.evidence }),
      },
      application: fakeApplication(this),
      storage: this.storage,
      transport: fakeTransport(this),
    };
  }
}
