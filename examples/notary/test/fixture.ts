import {
  BlockHeader,
  EMPTY_ROOT,
  GENESIS_DEFAULTS,
  Genesis,
  SPARSE_EMPTY,
  genesisValidators,
  headerDigest,
  keyPairFromSeed,
  networkOf,
  sha256,
  signBytes,
  stateRootOf,
  utf8,
  validatorSetHash,
  voteSigningBytes,
  type ApplicationWrite,
  type ExecuteAnswer,
} from '@it-chain/contracts';
import { MemoryStorage } from '@it-chain/testkit';
import { NotaryApplication, Register, type NotaryProof } from '@it-chain/example-notary';

export const hashOf = (text: string): Uint8Array => sha256(utf8(text));
export const register = (text: string, label = ''): Uint8Array => Register.encode({ hash: hashOf(text), label });
export const keysOf = (name: string) => keyPairFromSeed(sha256(utf8(name)));
export const sender = keysOf('sender').publicKey;

/** A register and its keyspace, committed block by block. */
export class Notary {
  readonly storage = new MemoryStorage();
  readonly application = new NotaryApplication({ storage: this.storage });
  root: Uint8Array = SPARSE_EMPTY;
  height = 0;

  async commit(payloads: readonly Uint8Array[]): Promise<ExecuteAnswer> {
    this.height += 1;
    const transactions = payloads.map((payload, index) => ({ id: hashOf(`${this.height}/${index}`), sender, payload }));
    const time = 1_700_000_000_000 + this.height;
    const request = { height: this.height, time, transactions, previousRoot: this.root };
    const answer = await this.application.execute(request);
    await this.write(answer.writes);
    this.root = answer.root;
    return answer;
  }

  async write(writes: readonly ApplicationWrite[]): Promise<void> {
    const all = writes.map((write) => ({ namespace: 'app' as const, ...write }));
    await this.storage.write({ writes: all, when: [], sync: true, writer: '', sequence: 0 });
  }

  /** The proof of a document, certified by validators of these names. */
  async prove(text: string, signers: readonly string[] = ['a', 'b', 'c', 'd']): Promise<Signed> {
    const document = hashOf(text);
    const asked = { path: 'record', data: document, prove: true, root: this.root };
    const { data: record, proof: path } = await this.application.query(asked);
    const names = ['a', 'b', 'c', 'd'];
    const genesis: Genesis = {
      ...GENESIS_DEFAULTS,
      nonce: hashOf('nonce'),
      founder: keysOf('a').publicKey,
      validators: names.map((name) => keysOf(name).publicKey),
      admission: 'open',
      application: 'notary/1',
      time: 1,
    };
    const network = networkOf(genesis);
    const validators = genesisValidators(genesis);
    const systemRoot = hashOf('system');
    const height = this.height + 1;
    const header = BlockHeader.encode({
      version: 1,
      network,
      height,
      previous: hashOf('parent'),
      proposer: genesis.founder,
      proposerSequence: 0,
      time: 2,
      transactionRoot: EMPTY_ROOT,
      transactionCount: 0,
      previousStateRoot: stateRootOf(systemRoot, this.root),
      validators: validatorSetHash(validators),
      nextValidators: validatorSetHash(validators),
    });
    const digest = headerDigest(header, network);
    const vote = voteSigningBytes(network, { type: 'commit', height, round: 0, digest });
    const seals = signers.map((name) => ({
      validator: names.indexOf(name),
      signature: signBytes(vote, keysOf(name).secretKey),
    }));
    const certificate = { height, round: 0, digest, seals };
    const roots = { applicationRoot: this.root, systemRoot };
    const proof: NotaryProof = {
      record,
      path,
      ...roots,
      header,
      certificate,
      validators,
      genesis: Genesis.encode(genesis),
    };
    return { proof, network, document };
  }
}

/** A proof, and what its verifier knows. */
export interface Signed {
  readonly proof: NotaryProof;
  readonly network: Uint8Array;
  readonly document: Uint8Array;
}
