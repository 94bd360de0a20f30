import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyPairFromSeed, message, nested, optional, sha256, string, toHex, utf8 } from '@it-chain/contracts';
import { expect } from 'chai';
import { cli } from './support/cli.js';
import { committed, scratch } from './support/network.js';
import { NodeProcess, root } from './support/node-process.js';
import { PythonProcess, runPython } from './support/python.js';
import { startRabbitMq, type PrivateRabbitMq } from './support/rabbitmq.js';
import { until } from './support/until.js';

const Claim = message('Claim', { name: string(1) });
/** The part of `names.proto` of the example that is used here. */
const NameOperation = message('NameOperation', { claim: optional(nested(1, Claim), 'operation') });
/** The value of a name: its owner first. */
const OWNER_BYTES = 32;
const alice = keyPairFromSeed(sha256(utf8('alice')));

// Needs Python and RabbitMQ: `npm run python-test` sets both up and says so in the environment.
if (process.env['PYTHON_EXAMPLES'] === '1' && process.env['RABBITMQ'] === '1') {
  describe('a node whose bus is RabbitMQ, with its application and an audit plugin in Python', function () {
    this.timeout(900_000);
    this.bail(true);
    const folder = scratch();
    let broker: PrivateRabbitMq;
    let node: NodeProcess;
    const programs: PythonProcess[] = [];

    /** Makes the broker user of a plugin as an operator would, and gives its arguments for the bus. */
    function userOf(plugin: string, nodeId: string): string[] {
      const namespace = nodeId.slice(0, 16);
      const where = ['--config', node.configFile, '--namespace', namespace, '--user', plugin];
      const printed = cli(['plugin', 'permissions', plugin, ...where, '--rabbitmq', 'commands'], folder.dir);
      const script = join(folder.dir, `${plugin}.sh`);
      writeFileSync(script, `set -e\nrabbitmqctl() { "$RABBITMQCTL" "$@"; }\n${printed}`);
      broker.shell(script, 'p\n');
      return ['--url', `amqp://${plugin}:p@${new URL(broker.url).host}/`, '--namespace', namespace];
    }

    before(async () => {
      broker = await startRabbitMq();
      node = await NodeProcess.create({
        name: 'rabbit',
        dir: folder.dir,
        args: ['--solo'],
        busUrl: broker.url,
        application: join(root, 'examples', 'application-python', 'it-chain-plugin.json'),
        plugins: [{ use: join(root, 'examples', 'audit-python', 'it-chain-plugin.json') }],
      });
      // The node waits for its application; its id is in the log before.
      const ready = node.start();
      const nodeId = await until('the id in the log', () => /"nodeId":"(\w+)"/.exec(node.stderr)?.[1], 60_000);
      programs.push(new PythonProcess('application-python', ['application.py', ...userOf('names', nodeId)]));
      const index = join(folder.dir, 'audit.sqlite');
      programs.push(new PythonProcess('audit-python', ['audit.py', ...userOf('audit', nodeId), '--index', index]));
      await ready;
    });
    after(async () => {
      await Promise.all(programs.map((program) => program.stop('SIGKILL')));
      await node.stop('SIGKILL');
      await broker.remove();
      folder.remove();
    });

    async function claim(name: string): Promise<void> {
      const payload = NameOperation.encode({ claim: { name } });
      const { id } = await until('it is acknowledged', () => node.client.send(payload, alice), 120_000);
      const final = await node.client.waitForTransaction(id, { timeoutMs: 300_000 });
      expect(final.receipt?.code, `${final.status} ${final.code} ${final.reason}`).to.equal(0);
      const { found, data } = await node.client.query('get', utf8(name));
      expect(found && toHex(data.subarray(0, OWNER_BYTES))).to.equal(toHex(alice.publicKey));
    }

    /** All that the node has committed is in the index, in order. */
    async function isComplete(): Promise<void> {
      const { height } = await node.client.status();
      const ask = ['ask.py', '--url', broker.url, '--namespace', node.nodeId.slice(0, 16), '--limit', '1000'];
      const found = await until(
        `the index at ${height}`,
        () => {
          const answer = JSON.parse(runPython('audit-python', ask)) as {
            readonly height: number;
            readonly entries: readonly { readonly id: string }[];
          };
          return answer.height >= height ? answer : undefined;
        },
        120_000,
      );
      expect([...found.entries].reverse().map(({ id }) => id)).to.deep.equal(await committed(node));
    }

    it('executes blocks and indexes them, each as the user of its manifest', async () => {
      await claim('first');
      await isComplete();
    });

    it('goes on after the broker was stopped and started again', async () => {
      // Politely: after a kill, RabbitMQ 3.10 may leave a quorum queue without a leader (see docs/testing.md).
      await broker.stop();
      await broker.start();
      await claim('second');
      await isComplete();
      expect(programs.map(({ running }) => running)).to.deep.equal([true, true]);
    });
  });
}
