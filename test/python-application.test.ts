import { join } from 'node:path';
import {
  bytes,
  keyPairFromSeed,
  message,
  nested,
  optional,
  sha256,
  string,
  toHex,
  utf8,
  verifySparseProof,
  type KeyPair,
} from '@it-chain/contracts';
import { expect } from 'chai';
import { allValidators, sameTip, scratch } from './support/network.js';
import { NodeProcess, root } from './support/node-process.js';
import { PythonProcess, runPython } from './support/python.js';
import { until } from './support/until.js';

const Claim = message('Claim', { name: string(1) });
const Transfer = message('Transfer', { name: string(1), to: bytes(2) });
const Release = message('Release', { name: string(1) });
/** `names.proto` of the example. */
const NameOperation = message('NameOperation', {
  claim: optional(nested(1, Claim), 'operation'),
  transfer: optional(nested(2, Transfer), 'operation'),
  release: optional(nested(3, Release), 'operation'),
});

const alice = keyPairFromSeed(sha256(utf8('alice')));
const bob = keyPairFromSeed(sha256(utf8('bob')));

// Needs Python: `npm run python-test` sets it up and sets PYTHON_EXAMPLES=1.
if (process.env['PYTHON_EXAMPLES'] === '1') {
  describe('four nodes, each with an application in Python', function () {
    this.timeout(900_000);
    this.bail(true);
    const folder = scratch();
    const nodes: NodeProcess[] = [];
    const applications: PythonProcess[] = [];
    const acknowledged = new Map<string, Uint8Array>();

    const startApplication = (node: NodeProcess): PythonProcess =>
      new PythonProcess('application-python', [
        'application.py',
        '--bus-file',
        join(node.dataDir, 'bus-users', 'names.json'),
      ]);
    /** A node of the list; the list was filled in `before`. */
    const nodeAt = (index: number): NodeProcess => {
      const node = nodes[index];
      if (node === undefined) throw new Error(`there is no node ${String(index)}`);
      return node;
    };
    const encode = NameOperation.encode.bind(NameOperation);

    /** Sends an operation until it is taken, as a client does that is told to try again. */
    async function submit(node: NodeProcess, payload: Uint8Array, keys: KeyPair): Promise<Uint8Array> {
      const { id } = await until('it is acknowledged', () => node.client.send(payload, keys), 60_000);
      acknowledged.set(toHex(id), id);
      return id;
    }
    /** The code of the receipt of a committed operation. */
    async function run(node: NodeProcess, payload: Uint8Array, keys: KeyPair): Promise<number | undefined> {
      const id = await submit(node, payload, keys);
      const final = await node.client.waitForTransaction(id, { timeoutMs: 120_000 });
      expect(final.status, `${final.code} ${final.reason}`).to.equal('committed');
      return final.receipt?.code;
    }
    async function ownerOn(node: NodeProcess, name: string): Promise<string | undefined> {
      const { found, data, proof, stateRoot, systemRoot, applicationRoot } = await node.client.query(
        'get',
        utf8(name),
        {
          prove: true,
        },
      );
      expect(sha256(Buffer.concat([systemRoot, applicationRoot]))).to.deep.equal(stateRoot);
      const value = found ? data : undefined;
      expect(verifySparseProof(applicationRoot, utf8(`name/${name}`), value, proof), `the proof of ${name}`).to.equal(
        true,
      );
      return found ? toHex(data.subarray(0, 32)) : undefined;
    }

    before(async () => {
      for (let index = 0; index < 4; index += 1) {
        const node = await NodeProcess.create({
          name: `p${index + 1}`,
          dir: folder.dir,
          application: join(root, 'examples', 'application-python', 'it-chain-plugin.json'),
          sections: { p2p: { genesis: { growth: 'skip-two' } } },
        });
        nodes.push(node);
        // Before the node: it waits for the file that says where the bus is.
        applications.push(startApplication(node));
        await node.start();
        if (index > 0) await node.client.join(nodeAt(0).peer);
      }
      await allValidators(nodes);
    });
    after(async () => {
      await Promise.all(applications.map((one) => one.stop('SIGKILL')));
      await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
      folder.remove();
    });

    it('a transaction goes through, and all four have the same state, proven', async () => {
      expect(await run(nodeAt(0), encode({ claim: { name: 'first' } }), alice)).to.equal(0);
      await sameTip(nodes, 1);
      for (const node of nodes) {
        expect(await ownerOn(node, 'first')).to.equal(toHex(alice.publicKey));
        expect(await ownerOn(node, 'nobody')).to.equal(undefined);
      }
      expect((await nodeAt(3).client.status()).plugins.find(({ role }) => role === 'application')).to.include({
        name: 'names',
        state: 'remote',
      });
    });

    it('what the application refuses is in the block and changes nothing, what it cannot read is not taken', async () => {
      expect(await run(nodeAt(1), encode({ claim: { name: 'first' } }), bob)).to.equal(2);
      expect(await run(nodeAt(2), encode({ transfer: { name: 'first', to: bob.publicKey } }), alice)).to.equal(0);
      expect(await run(nodeAt(3), encode({ release: { name: 'first' } }), alice)).to.equal(3);
      await sameTip(nodes, 1);
      for (const node of nodes) expect(await ownerOn(node, 'first')).to.equal(toHex(bob.publicKey));
      const unread = await nodeAt(0).client.send(utf8('no operation'), alice);
      expect(unread).to.include({ status: 'rejected', code: 'ERR_TX_REFUSED' });
      expect(unread.reason).to.contain('no operation of names/1');
    });

    it('takes the payload that its own command prints', async () => {
      const printed = runPython('application-python', ['payload.py', 'claim', 'printed']).trim();
      expect(printed).to.equal(toHex(encode({ claim: { name: 'printed' } })));
    });

    it('one of them killed and started again: the others go on, and it comes to the same state', async () => {
      await applications[0]?.stop('SIGKILL');
      for (let count = 0; count < 5; count += 1) {
        expect(await run(nodeAt(1), encode({ claim: { name: `without-${count}` } }), alice)).to.equal(0);
      }
      applications[0] = startApplication(nodeAt(0));
      await sameTip(nodes, (await nodeAt(1).client.status()).height);
      expect(await ownerOn(nodeAt(0), 'without-4')).to.equal(toHex(alice.publicKey));
    });

    it('all of them killed under a stream of transactions: what was acknowledged is committed, and all agree', async () => {
      const sending = (async () => {
        for (let count = 0; count < 20; count += 1) {
          await submit(nodeAt(count % 4), encode({ claim: { name: `stream-${count}` } }), alice);
        }
      })();
      await submit(nodeAt(0), encode({ claim: { name: 'in-the-middle' } }), alice);
      await Promise.all(applications.map((one) => one.stop('SIGKILL')));
      nodes.forEach((node, index) => {
        applications[index] = startApplication(node);
      });
      await sending;
      for (const id of acknowledged.values()) {
        const final = await nodeAt(0).client.waitForTransaction(id, { timeoutMs: 300_000 });
        expect(final.status, toHex(id)).to.equal('committed');
      }
      await sameTip(nodes, (await nodeAt(0).client.status()).height);
      for (const node of nodes) {
        for (const name of ['in-the-middle', 'stream-0', 'stream-19', 'without-0']) {
          expect(await ownerOn(node, name), name).to.equal(toHex(alice.publicKey));
        }
        expect(await ownerOn(node, 'first')).to.equal(toHex(bob.publicKey));
      }
    });

    it('a node started again waits for its application and goes on with the same state', async () => {
      await nodeAt(2).kill();
      await nodeAt(2).start();
      expect(await run(nodeAt(2), encode({ release: { name: 'first' } }), bob)).to.equal(0);
      await sameTip(nodes, (await nodeAt(2).client.status()).height);
      for (const node of nodes) expect(await ownerOn(node, 'first')).to.equal(undefined);
      for (const application of applications) expect(application.running).to.equal(true);
    });
  });
}
