import { expect } from 'chai';
import amqp from 'amqplib';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { decodeTransaction, isNodeId, keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { verifyTransactionProof } from '@it-chain/client';
import { NodeProcess, root } from './node-process.js';
import { sameTip, scratch } from './network.js';
import { until } from './until.js';
import { kvWorkload, type Workload } from './workload.js';

/** What changes between the embedded server and a broker. */
export interface ScenarioOptions {
  readonly busUrl?: () => string | undefined;
  /** The bus in the memory of each node: nothing attaches to it. */
  readonly busInMemory?: boolean;
  /** Runs between the second and the third scenario: with a broker, its restart. */
  readonly between?: () => Promise<void>;
  /** The application and what is sent to it. Default: the key-value application. */
  readonly workload?: Workload;
  /** Other plugins by the short name of the one whose place they take. */
  readonly swap?: Readonly<Record<string, string>>;
  /** Sections of plugins by short name. */
  readonly sections?: Readonly<Record<string, object>>;
  /** One node that founds by itself: without the second scenario. */
  readonly alone?: boolean;
}

/** The three scenarios, a test per row, on two real nodes. */
export function scenarios(title: string, options: ScenarioOptions = {}): void {
  describe(title, function () {
    this.timeout(600_000);
    const folder = scratch();
    let first: NodeProcess;
    let second: NodeProcess;
    let early: Uint8Array;
    const work = options.workload ?? kvWorkload;
    const alone = options.alone === true;
    const nodes = (): NodeProcess[] => (alone ? [first] : [first, second]);
    const put = async (node: NodeProcess, text: string): Promise<{ id: Uint8Array; height: number }> => {
      const sent = await work.send(node, text, first);
      const final = await node.client.waitForTransaction(sent.id, { timeoutMs: 60_000 });
      if (final.status !== 'committed') throw new Error(`${text} was ${final.status}: ${final.code} ${final.reason}`);
      return { id: sent.id, height: final.height ?? 0 };
    };

    before(async () => {
      const common = {
        dir: folder.dir,
        busUrl: options.busUrl?.(),
        busInMemory: options.busInMemory,
        swap: options.swap,
        application: work.application,
        sections: { p2p: { genesis: { growth: 'immediate' } }, ...options.sections },
      };
      first = await NodeProcess.create({ ...common, name: 'first' });
      second = alone ? first : await NodeProcess.create({ ...common, name: 'second' });
    });
    after(async () => {
      await Promise.all(nodes().map((node) => node.stop()));
      folder.remove();
    });

    describe('1. the first node boots', () => {
      it('1.1 the stages are printed in their order, and a dial that arrives early is refused', async () => {
        const answers: boolean[] = [];
        const ready = first.launch();
        let done = false;
        void ready.then(
          () => (done = true),
          () => (done = true),
        );
        const stages = (): unknown[] => first.lines.map((line) => line['stage']).filter((stage) => stage !== undefined);
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- set by the callback above
        while (!done) {
          const open = await connects(first.peerPort);
          // Open only once everything has started.
          if (open) answers.push(stages().includes('start') || done);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await ready;
        expect(stages()).to.deep.equal(['config', 'load', 'identity', 'bus', 'setup', 'start', 'accept', 'ready']);
        expect(answers).to.not.include(false);
      });

      if (options.busInMemory === true) {
        it('1.2 nobody can attach to the bus in memory: the node says so and leaves no address that could be tried', () => {
          expect(first.lines.find((line) => line['ready'] === true)).to.include({ bus: 'in memory' });
          expect(existsSync(join(first.dataDir, 'bus.json'))).to.equal(false);
        });
      } else
        it('1.2 any AMQP client can attach and see the events of the node', async () => {
          const file = join(first.dataDir, 'bus.json');
          const own = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
          const url = new URL(options.busUrl?.() ?? `amqp://${own['address'] ?? ''}`);
          if (own['user'] !== undefined) url.username = own['user'];
          if (own['password'] !== undefined) url.password = own['password'];
          const connection = await amqp.connect(url.href);
          try {
            const channel = await connection.createChannel();
            const { queue } = await channel.assertQueue('', { exclusive: true });
            await channel.bindQueue(queue, `${first.nodeId.slice(0, 16)}.evt`, '#');
            const seen: unknown[] = [];
            await channel.consume(queue, (message) => seen.push(message?.fields.routingKey), { noAck: true });
            await work.send(first, 'seen', first);
            await until('the event of the transaction', () => seen.includes('transaction.accepted.v1'));
          } finally {
            await connection.close();
          }
        });

      it('1.3 the node has an id that proves itself and is alone in its peer table', async () => {
        const peers = await first.client.peers();
        expect(peers).to.have.length(1);
        expect(peers[0]).to.include({ self: true, nodeId: first.nodeId });
        expect(isNodeId(first.nodeId)).to.equal(true);
      });

      it('1.4 there is no leader, and a transaction waits and says so', async () => {
        if (alone) {
          early = (await work.send(first, 'early bird', first)).id;
          return;
        }
        expect((await first.client.leader()).leader).to.equal('');
        const status = await first.client.status();
        expect(status).to.include({ role: 'unfounded', height: 0 });
        expect(status.network).to.have.length(0);
        expect(status.candidate).to.have.length(32);
        const sent = await work.send(first, 'early bird', first);
        early = sent.id;
        const found = await first.client.transaction(early);
        expect(found.status).to.equal('pending');
        expect(found.reason).to.include('no leader yet');
      });
    });

    describe('2. a later node joins', () => {
      if (alone) return;
      it('2.1 the second node joins the first from the command line', async () => {
        await second.start();
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [
            join(root, 'packages/cli/dist/bin.js'),
            'join',
            first.peer,
            '--api',
            second.api,
            '--config',
            second.configFile,
            '--json',
          ],
          { encoding: 'utf8' },
        );
        expect(status, stderr).to.equal(0);
        expect(JSON.parse(stdout)).to.include({ nodeId: first.nodeId });
      });

      it('2.2 the dialled node is the leader and has founded the network', async () => {
        const network = await until('both on one network', async () => {
          const [a, b] = await Promise.all([first.client.status(), second.client.status()]);
          return a.network.length === 32 && toHex(a.network) === toHex(b.network) && toHex(a.network);
        });
        expect(network).to.match(/^[0-9a-f]{64}$/);
        await until('the first is the leader', async () => (await first.client.leader()).leader === first.nodeId);
      });

      it('2.3, 2.4 each knows the other', async () => {
        for (const node of [first, second]) {
          await until(`${node.name} knows both`, async () => {
            const peers = await node.client.peers();
            const ids = peers.map(({ nodeId }) => nodeId).sort();
            return (
              ids.join() === [first.nodeId, second.nodeId].sort().join() &&
              peers.every(({ self, connected, address }) => self || (connected && address !== ''))
            );
          });
        }
      });

      it('2.5 both name the same leader', async () => {
        await until('one leader', async () => {
          const [a, b] = await Promise.all([first.client.leader(), second.client.leader()]);
          return a.leader !== '' && a.leader === b.leader && a.height === b.height;
        });
      });

      it('2.6 the second node becomes a validator by transactions, so both agree on the set', async () => {
        await until(
          'two validators',
          async () => {
            const [a, b] = await Promise.all([first.client.validators(), second.client.validators()]);
            return a.validators.validators.length === 2 && b.validators.validators.length === 2;
          },
          30_000,
        );
        expect((await second.client.status()).role).to.equal('validator');
      });
    });

    describe('3. a transaction', () => {
      const keys = keyPairFromSeed(sha256(utf8('a client')));

      it('what waited before founding is committed', async () => {
        if (options.between !== undefined) {
          await options.between();
          await backOnTheBus([first, second], early);
        }
        const final = await first.client.waitForTransaction(early, { timeoutMs: 120_000 });
        expect(final.status).to.equal('committed');
      });

      it('3.1-3.7 a client signs one, and it is durable before it is answered', async () => {
        const sent = await second.client.send(work.payload('k'), keys);
        expect(sent.status).to.be.oneOf(['pending', 'proposed', 'committed']);
      });

      it('3.8-3.11 it is in a block with a certificate, and both nodes have it', async () => {
        const { id, height } = await put(second, 'blue');
        await sameTip(nodes(), height);
        for (const node of nodes()) {
          const found = await node.client.transaction(id);
          expect(found).to.include({ status: 'committed', height });
          expect(await work.holds(node, 'blue')).to.equal(true);
        }
      });

      it('3.12 its life can be followed, and it is executed once', async () => {
        const signed = await first.client.sign(work.payload('once'), keys);
        await first.client.submit([signed.encoded]);
        await second.client.submit([signed.encoded]);
        const seen: string[] = [];
        const final = await first.client.waitForTransaction(signed.id, {
          timeoutMs: 60_000,
          onChange: ({ status }) => seen.push(status),
        });
        expect(final.status).to.equal('committed');
        expect(seen.at(-1)).to.equal('committed');
        const again = await second.client.submit([signed.encoded]);
        expect(again[0]?.status).to.be.oneOf(['committed', 'pending', 'proposed']);
        await put(first, 'after it');
        expect(await countOf(first, signed.id)).to.equal(1);
      });

      it('a client proves offline that it is in the chain', async () => {
        const { id } = await put(first, 'proven');
        const proof = await second.client.proveTransaction(id);
        const genesis = await second.client.genesis();
        const proven = verifyTransactionProof(proof, { network: genesis.network, validators: proof.validators });
        expect(toHex(proven.id)).to.equal(toHex(id));
      });

      it('nothing of it is written to the log at the level of an operator as an error', () => {
        for (const node of nodes()) expect(node.stderr).to.not.match(/"level":"?(50|60|error|fatal)/);
      });
    });
  });
}

/** Waits until every role that clients ask answers again: a single call is refused, not held, while the broker is away. */
function backOnTheBus(nodes: readonly NodeProcess[], id: Uint8Array): Promise<boolean> {
  return until(
    'all nodes are back on the broker',
    async () => {
      for (const { client } of nodes) await Promise.all([client.transaction(id), client.leader(), client.genesis()]);
      return true;
    },
    30_000,
  );
}

/** In how many places of the chain an id stands. */
async function countOf(node: NodeProcess, id: Uint8Array): Promise<number> {
  const { Block } = await import('@it-chain/contracts');
  let count = 0;
  for (let from = 1; ;) {
    const blocks = await node.client.blocks(from, 100);
    for (const { certified } of blocks) {
      for (const transaction of Block.decode(certified.block).transactions) {
        if (toHex(decodeTransaction(transaction).id) === toHex(id)) count += 1;
      }
    }
    if (blocks.length === 0) return count;
    from += blocks.length;
  }
}

/** True when something accepts connections at the port. */
export function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
