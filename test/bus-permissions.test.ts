import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AmqpServer } from '@it-chain/amqp-server';
import { connectAmqpBus, permissionsOf } from '@it-chain/bus-amqp';
import type { Bus, BusNeeds } from '@it-chain/contracts';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { expect } from 'chai';
import { cli } from './support/cli.js';
import { scratch } from './support/network.js';
import { startRabbitMq, type PrivateRabbitMq } from './support/rabbitmq.js';
import { until } from './support/until.js';

/** The manifest of a plugin in another process, and what it comes to. */
const MANIFEST = {
  name: 'audit',
  version: '1.0.0',
  api: 1,
  provides: { 'audit.v1': ['audit.find.v1'] },
  calls: { 'chain.v1': ['block.range.v1'] },
  listens: ['block.committed.v1'],
  tells: ['audit.done.v1'],
};
const NEEDS: BusNeeds = {
  name: 'audit',
  serves: [{ role: 'audit.v1', calls: ['audit.find.v1'] }],
  calls: [{ role: 'chain.v1', calls: ['block.range.v1'] }],
  listens: { events: ['block.committed.v1'], transients: [] },
  tells: { events: ['audit.done.v1'], transients: [] },
};
const DURABLE = {
  'x-queue-type': 'quorum',
  'x-max-length': 100_000,
  'x-delivery-limit': 5,
  'x-overflow': 'drop-head',
  'x-single-active-consumer': true,
};

/** A broker with a user for everything, and one for the plugin of {@link MANIFEST} in the namespace `n`. */
interface PermissionBroker {
  readonly admin: string;
  readonly plugin: string;
  stop(): Promise<void>;
}

async function embedded(): Promise<PermissionBroker> {
  const { routingKeys, ...names } = permissionsOf(NEEDS, 'n');
  const server = new AmqpServer({
    users: [
      { name: 'admin', password: 'a' },
      { name: 'n.audit', password: 'p', permissions: { '/': names }, routingKeys: { '/': routingKeys } },
    ],
  });
  const { port } = await server.listen();
  const url = (user: string): string => `amqp://${user}@127.0.0.1:${port}`;
  return { admin: url('admin:a'), plugin: url('n.audit:p'), stop: () => server.close() };
}

/** The user is what `it-chain plugin permissions audit --rabbitmq` prints, in either form; each in a virtual host of its own. */
function rabbitMq(broker: PrivateRabbitMq, form: 'definitions' | 'commands'): PermissionBroker {
  const folder = scratch();
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder.dir, name), text);
    return join(folder.dir, name);
  };
  file('audit.json', JSON.stringify(MANIFEST));
  file('password', 'p\n');
  file('it-chain.config.yaml', 'plugins: [{ use: ./audit.json }]\n');
  const [vhost, user] = [form, `audit-by-${form}`];
  broker.ctl(['add_vhost', vhost]);
  broker.ctl(['set_permissions', '-p', vhost, 'guest', '.*', '.*', '.*']);
  const where = ['--namespace', 'n', '--vhost', vhost, '--user', user];
  const args = ['plugin', 'permissions', 'audit', ...where, '--rabbitmq', form];
  const printed = cli([...args, ...(form === 'definitions' ? ['--password-file', 'password'] : [])], folder.dir);
  if (form === 'definitions') broker.ctl(['import_definitions', file('definitions.json', printed)]);
  else broker.shell(file('commands.sh', `set -e\nrabbitmqctl() { "$RABBITMQCTL" "$@"; }\n${printed}`), 'p\n');
  folder.remove();
  const { host } = new URL(broker.url);
  return {
    admin: `${broker.url}/${vhost}`,
    plugin: `amqp://${user}:p@${host}/${vhost}`,
    stop: () => Promise.resolve(),
  };
}

describe('a plugin may do on the bus what its manifest asks for, and nothing else', function () {
  this.timeout(300_000);
  suite('on the server inside the node', embedded, true);
  // Needs a broker: `node scripts/rabbitmq-tests.mjs` installs one and sets RABBITMQ=1.
  if (process.env['RABBITMQ'] === '1') {
    let broker: PrivateRabbitMq | undefined;
    const started = async (): Promise<PrivateRabbitMq> => (broker ??= await startRabbitMq());
    suite('on RabbitMQ, by imported definitions', async () => rabbitMq(await started(), 'definitions'), false);
    suite('on RabbitMQ, by lines of rabbitmqctl', async () => rabbitMq(await started(), 'commands'), false);
    after(() => broker?.remove());
  }
});

function suite(title: string, start: () => Promise<PermissionBroker>, checksEveryExchange: boolean): void {
  describe(title, () => {
    let broker: PermissionBroker;
    let node: Bus;
    let plugin: ChannelModel;
    const opened: (() => Promise<unknown>)[] = [];
    before(async () => {
      broker = await start();
      // What the node declares: the exchanges, a durable queue of another plugin, and a role.
      node = await connectAmqpBus({ url: broker.admin, namespace: 'n', retryDelayMs: 1 });
      plugin = await connect(broker.plugin);
    });
    after(async () => {
      await Promise.all(opened.splice(0).map((close) => close()));
      await plugin.close();
      await node.close();
      await broker.stop();
    });

    /** 0 where it is done, else the code by which the broker closed the channel. */
    async function attempt(action: (channel: Channel) => Promise<unknown>): Promise<number> {
      const channel = await plugin.createConfirmChannel();
      const closed = new Promise<number>((resolve) => {
        channel.once('error', (error: Error & { code?: number }) => {
          resolve(error.code ?? -1);
        });
      });
      const done = action(channel).then(async () => {
        await channel.waitForConfirms();
        await channel.close();
        return 0;
      });
      return done.catch(() => closed);
    }
    const publish =
      (exchange: string, key: string, options = {}) =>
      (channel: Channel) => {
        channel.publish(exchange, key, Buffer.from('x'), options);
        return Promise.resolve();
      };
    const own = async (channel: Channel): Promise<string> =>
      (await channel.assertQueue('', { exclusive: true, durable: false })).queue;
    const bindOwn = (exchange: string, key: string) => async (channel: Channel) =>
      channel.bindQueue(await own(channel), exchange, key);

    const allowed: readonly (readonly [string, (channel: Channel) => Promise<unknown>])[] = [
      ['call what it names', publish('n.rpc', 'block.range.v1')],
      ['ask whether its provider is there', publish('n.rpc', 'probe.chain.v1')],
      ['tell its own event', publish('n.evt', 'audit.done.v1')],
      ['answer', publish('', 'amq.rabbitmq.reply-to.nobody')],
      ['hear what it names', bindOwn('n.evt', 'block.committed.v1')],
      [
        'hear it durably',
        async (channel) => {
          await channel.assertQueue('n.evt.audit', {
            durable: true,
            deadLetterExchange: 'n.dlx',
            arguments: DURABLE,
          });
          await channel.bindQueue('n.evt.audit', 'n.evt', 'block.committed.v1');
          await channel.consume('n.evt.audit', () => undefined);
        },
      ],
      [
        'serve its role',
        async (channel) => {
          await channel.assertQueue('n.rpc.audit.v1', { exclusive: true, durable: false });
          await channel.consume('n.rpc.audit.v1', () => undefined, { noAck: true });
          await channel.bindQueue('n.rpc.audit.v1', 'n.rpc', 'probe.audit.v1');
          await channel.bindQueue('n.rpc.audit.v1', 'n.rpc', 'audit.find.v1');
          await channel.purgeQueue('n.rpc.audit.v1');
          await channel.deleteQueue('n.rpc.audit.v1');
        },
      ],
    ];
    for (const [what, action] of allowed) {
      it(`may ${what}`, async () => {
        expect(await attempt(action)).to.equal(0);
      });
    }

    const refused: readonly (readonly [string, (channel: Channel) => Promise<unknown>])[] = [
      ['call another role', publish('n.rpc', 'storage.write.v1')],
      ['call what its manifest leaves out of a role', publish('n.rpc', 'block.commit.v1')],
      ['have anything signed', publish('n.rpc', 'identity.sign.v1')],
      ["tell another role's event", publish('n.evt', 'block.committed.v1')],
      ['send transient messages', publish('n.cast', 'message.received.v1')],
      ["publish in another node's namespace", publish('amq.topic', 'block.range.v1')],
      ['take the calls of another role', bindOwn('n.rpc', 'storage.write.v1')],
      ['take all calls', bindOwn('n.rpc', '#')],
      ['hear what it does not name', bindOwn('n.evt', 'peer.connected.v1')],
      ['hear everything', bindOwn('n.evt', '#')],
      ['hear by a pattern', bindOwn('n.evt', '*.committed.v1')],
      ['hear transient messages', bindOwn('n.cast', 'message.received.v1')],
      ['declare the queue of another role', (channel) => channel.assertQueue('n.rpc.storage.v1', { exclusive: true })],
      ["declare another's durable queue", (channel) => channel.assertQueue('n.evt.other')],
      ['declare any queue', (channel) => channel.assertQueue('mine')],
      ['declare a queue in another namespace', (channel) => channel.assertQueue('m.rpc.audit.v1')],
      ['declare an exchange', (channel) => channel.assertExchange('n.mine', 'topic')],
      ['declare the exchange of the calls', (channel) => channel.assertExchange('n.rpc', 'topic')],
      ['delete an exchange', (channel) => channel.deleteExchange('n.evt')],
      ['bind exchanges', (channel) => channel.bindExchange('n.evt', 'n.rpc', 'storage.write.v1')],
      ['send dead letters elsewhere', (channel) => channel.assertQueue('', { deadLetterExchange: 'amq.topic' })],
      ['consume dead letters', (channel) => channel.consume('n.dead', () => undefined)],
      ['get dead letters', (channel) => channel.get('n.dead')],
      ['purge a queue', (channel) => channel.purgeQueue('n.dead')],
      ['delete a queue', (channel) => channel.deleteQueue('n.dead')],
      ['bind a queue of others', (channel) => channel.bindQueue('n.dead', 'n.evt', 'block.committed.v1')],
      ['unbind a queue of others', (channel) => channel.unbindQueue('n.dead', 'n.dlx', '')],
    ];
    for (const [what, action] of refused) {
      it(`may not ${what}`, async () => {
        expect(await attempt(action)).to.equal(403);
      });
    }

    if (checksEveryExchange) {
      it('may not send into a queue by its name, nor by a copy', async () => {
        expect(await attempt(publish('', 'n.evt.other'))).to.equal(403);
        expect(await attempt(publish('', 'n.rpc.storage.v1'))).to.equal(403);
        expect(await attempt(publish('n.evt', 'audit.done.v1', { CC: ['block.committed.v1'] }))).to.equal(403);
        expect(await attempt(publish('n.rpc', 'block.range.v1', { BCC: ['storage.write.v1'] }))).to.equal(403);
        for (const key of [{ deadLetterRoutingKey: 'storage.write.v1' }, {}]) {
          const letters = { exclusive: true, durable: false, deadLetterExchange: 'n.rpc', ...key };
          expect(await attempt((channel) => channel.assertQueue('', letters))).to.equal(403);
        }
      });
    }

    it('is believed by nobody who gets a message by the name of a queue, or under a false type', async () => {
      const heard: string[] = [];
      await node.subscribe(['block.committed.v1'], ({ address }) => Promise.resolve(void heard.push(address)), {
        durable: 'other',
      });
      await node.subscribe(['audit.done.v1'], ({ address }) => Promise.resolve(void heard.push(address)));
      // RabbitMQ lets whoever may answer send to any queue by its name, and dead letters have any key; the receivers leave
      // both alone.
      await attempt(publish('', 'n.evt.other', { type: 'block.committed.v1' }));
      const letters = { deadLetterExchange: 'n.evt', deadLetterRoutingKey: 'block.committed.v1', messageTtl: 0 };
      await attempt(async (channel) => {
        const { queue } = await channel.assertQueue('', { exclusive: true, durable: false, ...letters });
        channel.publish('', queue, Buffer.from('false'));
      });
      expect(await attempt(publish('n.evt', 'audit.done.v1', { type: 'block.committed.v1' }))).to.equal(0);
      await node.publish('block.committed.v1', Buffer.from('true'));
      await until('both events', () => heard.length >= 2);
      expect(heard.sort()).to.deep.equal(['audit.done.v1', 'block.committed.v1']);
    });

    it('is what the bus client needs: it serves, calls, listens and tells, and survives what it may not', async () => {
      const name = randomBytes(4).toString('hex');
      await node.serve('chain.v1', ['block.range.v1', 'block.commit.v1'], ({ body }) => Promise.resolve(body));
      const told: string[] = [];
      await node.subscribe(['audit.done.v1'], ({ body }) =>
        Promise.resolve(void told.push(Buffer.from(body).toString())),
      );
      const bus = await connectAmqpBus({ url: broker.plugin, namespace: 'n', reconnectMinMs: 10, reconnectMaxMs: 50 });
      opened.push(() => bus.close());
      const heard: string[] = [];
      await bus.serve('audit.v1', ['audit.find.v1'], ({ body }) => Promise.resolve(body));
      await bus.subscribe(
        ['block.committed.v1'],
        ({ body }) => Promise.resolve(void heard.push(Buffer.from(body).toString())),
        { durable: 'audit' },
      );
      const call = (from: Bus, role: string, address: string): Promise<Uint8Array> =>
        from.request(role, address, Buffer.from(name), { timeoutMs: 20_000 });
      const error = await call(bus, 'chain.v1', 'block.commit.v1').catch((reason: unknown) => reason);
      expect(error).to.have.property('code', 'ERR_BUS_CLOSED');
      await node.waitForRole('audit.v1', 20_000);
      for (const answer of [call(bus, 'chain.v1', 'block.range.v1'), call(node, 'audit.v1', 'audit.find.v1')]) {
        expect(Buffer.from(await answer).toString()).to.equal(name);
      }
      await bus.publish('audit.done.v1', Buffer.from(name));
      await node.publish('block.committed.v1', Buffer.from(name));
      await until('both events', () => told.includes(name) && heard.includes(name));
    });
  });
}
