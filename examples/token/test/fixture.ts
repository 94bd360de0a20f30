import {
  GENESIS_DEFAULTS,
  Genesis,
  SPARSE_EMPTY,
  keyPairFromSeed,
  p2pKeys,
  sha256,
  utf8,
  type ApplicationWrite,
  type ExecuteAnswer,
} from '@it-chain/contracts';
import { MemoryStorage } from '@it-chain/testkit';
import { TokenApplication, TokenOperation, keys, readAmount } from '@it-chain/example-token';

export const account = (name: string): Uint8Array => keyPairFromSeed(sha256(utf8(name))).publicKey;
export const owner = account('owner');
export const transfer = (to: Uint8Array, amount: number): Uint8Array =>
  TokenOperation.encode({ transfer: { to, amount } });
export const mint = (to: Uint8Array, amount: number): Uint8Array => TokenOperation.encode({ mint: { to, amount } });

/** A transaction to execute. */
export interface Sent {
  readonly sender: Uint8Array;
  readonly payload: Uint8Array;
}

/** A ledger and its keyspace, in a network that `owner` founded, committed block by block. */
export class Ledger {
  readonly storage = new MemoryStorage();
  application = new TokenApplication({ storage: this.storage });
  root: Uint8Array = SPARSE_EMPTY;
  height = 0;

  static async make(): Promise<Ledger> {
    const ledger = new Ledger();
    const genesis = Genesis.encode({
      ...GENESIS_DEFAULTS,
      nonce: sha256(utf8('nonce')),
      founder: owner,
      validators: [owner],
      admission: 'open',
      application: 'token/1',
      time: 1,
    });
    await ledger.#write([{ namespace: 'p2p', key: p2pKeys.genesis, value: genesis }]);
    return ledger;
  }

  restart(): void {
    this.application = new TokenApplication({ storage: this.storage });
  }

  async commit(sent: readonly Sent[]): Promise<ExecuteAnswer> {
    const transactions = sent.map((one, index) => ({ id: sha256(utf8(`${this.height}/${index}`)), ...one }));
    const height = this.height + 1;
    const answer = await this.application.execute({ height, time: height, transactions, previousRoot: this.root });
    await this.write(answer.writes);
    this.root = answer.root;
    this.height = height;
    return answer;
  }

  write(writes: readonly ApplicationWrite[]): Promise<void> {
    return this.#write(writes.map((write) => ({ namespace: 'app' as const, ...write })));
  }

  async balance(of: Uint8Array): Promise<number> {
    const answer = await this.application.query({ path: 'balance', data: of, prove: false, root: this.root });
    return answer.found ? readAmount(answer.data) : 0;
  }

  async supply(): Promise<number> {
    const { values } = await this.storage.read({ namespace: 'app', keys: [keys.supply] });
    return readAmount(values[0]?.value);
  }

  async #write(writes: Parameters<MemoryStorage['write']>[0]['writes']): Promise<void> {
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }
}
