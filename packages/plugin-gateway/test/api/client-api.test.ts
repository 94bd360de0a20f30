import { readFile, stat, writeFile, chmod } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  KvOperation,
  NodeService,
  equivocation,
  signTransaction,
  toHex,
  utf8,
  type TransactionStatus,
} from '@it-chain/contracts';
import { expect } from 'chai';
import { service as healthService } from 'grpc-health-check';
import { AdminAccess, ApiConfig, clientApiProto } from '@it-chain/plugin-gateway';
import { failureOf, openApi, until, type OpenApi } from './open-api.js';

const put = (key: string, value: string) => KvOperation.encode({ put: { key: utf8(key), value: utf8(value) } });

describe('client API', () => {
  let open: OpenApi;
  const signed = (nonce: number, network = open.node.network) =>
    signTransaction(
      { network, nonce: Buffer.alloc(8, nonce), expiresAt: 100, application: put(`k${nonce}`, 'v') },
      open.node.keys,
    );
  afterEach(() => open.close());

  describe('transactions', () => {
    it('takes a batch and answers in its order, naming what is wrong with each', async () => {
      open = await openApi();
      const good = signed(1);
      const forged = Uint8Array.from(signed(2));
      forged[forged.length - 1]! ^= 1;
      const { results } = await open.call('submit', { transactions: [good, forged, utf8('garbage')] });
      expect(results.map(({ status, code }) => [status, code])).to.deep.equal([
        ['pending', ''],
        ['rejected', 'ERR_TX_SIGNATURE'],
        ['rejected', 'ERR_TX_MALFORMED'],
      ]);
      expect(results[1]!.hint).to.match(/Sign over/);
    });

    it('answers a batch of which nothing fits with RESOURCE_EXHAUSTED and the code', async () => {
      open = await openApi();
      open.node.maxPool = 0;
      const failed = await failureOf(open.call('submit', { transactions: [signed(1)] }));
      expect(failed).to.include({ status: grpc.status.RESOURCE_EXHAUSTED, code: 'ERR_TXPOOL_FULL' });
    });

    it('gives code, hint and facts in the status details that other languages read', async () => {
      open = await openApi();
      open.node.maxPool = 0;
      const error = await open.call('submit', { transactions: [signed(1)] }).catch((cause: unknown) => cause);
      const [bytes] = (error as grpc.ServiceError).metadata.get('grpc-status-details-bin');
      // The published types, not ours: what a client in another language decodes with.
      const path = join(open.dataDir, 'status.proto');
      await writeFile(path, STATUS_PROTO);
      const { A: a, B: b } = loadSync(path)['google.rpc.S'] as grpc.ServiceDefinition;
      const status = a!.responseDeserialize(Buffer.from(bytes!)) as {
        code: number;
        details: { typeUrl: string; value: Buffer }[];
      };
      expect(status.code).to.equal(grpc.status.RESOURCE_EXHAUSTED);
      expect(status.details[0]!.typeUrl).to.equal('type.googleapis.com/google.rpc.ErrorInfo');
      const info = b!.responseDeserialize(status.details[0]!.value) as object;
      expect(info).to.deep.include({ reason: 'ERR_TXPOOL_FULL', domain: 'it-chain' });
      expect(info).to.have.property('metadata').that.includes.keys('hint', 'retryable', 'transaction');
    });

    it('signs with the key of the node, for the candidate before founding', async () => {
      open = await openApi({}, false);
      const status = await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      expect(status).to.include({ status: 'pending', reason: 'no leader yet' });
      expect([...open.node.pool.values()][0]!.value.expiresAt).to.equal(open.node.genesis.window);
    });

    it('combines pool and chain: unknown, pending, committed with its place and receipt', async () => {
      open = await openApi();
      const { id } = await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      expect((await open.call('getTransaction', { id })).status).to.equal('pending');
      expect((await open.call('getTransaction', { id: new Uint8Array(32) })).status).to.equal('unknown');
      open.node.commit();
      const done = await open.call('getTransaction', { id });
      expect(done).to.include({ status: 'committed', height: 1, index: 0 });
      expect(done.receipt?.code).to.equal(0);
      expect((await open.call('proveTransaction', { id })).index).to.equal(0);
    });

    it('watches a transaction to its end', async () => {
      open = await openApi({}, false);
      const { id } = await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      const seen: string[] = [];
      for await (const status of open.stream('watchTransaction', { id }) as AsyncIterable<TransactionStatus>) {
        seen.push(`${status.status} ${status.reason}`.trim());
        if (seen.length === 1) open.node.found();
        if (seen.length === 2) open.node.commit();
      }
      expect(seen).to.deep.equal(['pending no leader yet', 'pending', 'committed']);
    });

    it('goes on watching when the bus was away for a while', async () => {
      open = await openApi({ pollMs: 10 });
      const { id } = await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      open.node.cutOffQueries = 3;
      const seen: string[] = [];
      for await (const { status } of open.stream('watchTransaction', { id }) as AsyncIterable<TransactionStatus>) {
        seen.push(status);
        if (status !== 'pending') continue;
        open.node.cutOffQueries = 2;
        open.node.commit();
      }
      expect(seen).to.deep.equal(['pending', 'committed']);
    });

    it('proposes, votes and accuses by membership transactions of the node', async () => {
      open = await openApi({}, false);
      const publicKey = new Uint8Array(32).fill(7);
      const action = { admit: { publicKey, name: 'joiner' } };
      expect((await failureOf(open.call('proposeChange', { action, approve: true }))).code).to.equal(
        'ERR_NETWORK_UNFOUNDED',
      );
      open.node.found();
      const membershipOf = (id: Uint8Array): unknown => open.node.pool.get(toHex(id))?.value.membership;
      const proposed = await open.call('proposeChange', { action, approve: true });
      expect(membershipOf(proposed.id)).to.deep.include({ propose: { action, approve: true } });
      const voted = await open.call('voteOnProposal', { proposal: proposed.id, approve: false });
      expect(membershipOf(voted.id)).to.deep.include({ vote: { proposal: proposed.id, approve: false } });
      const half = (byte: number) => ({
        digest: new Uint8Array(32).fill(byte),
        signature: new Uint8Array(64).fill(byte),
      });
      const evidence = equivocation({ publicKey, type: 'prepare', height: 3, round: 1 }, half(2), half(1));
      const accused = await open.call('accuseMember', { evidence });
      expect(membershipOf(accused.id)).to.deep.include({ accuse: { evidence } });
      open.node.evidence = [{ evidence, seen: 5 }];
      expect((await open.call('getEvidence', {})).entries).to.deep.equal([{ evidence, seen: 5 }]);
      expect(await open.call('getConsensus', {})).to.include({ height: 1, quorum: 1, validators: 1, evidence: 1 });
    });

    it('shows members with the votes of present validators only', async () => {
      open = await openApi({}, false);
      expect((await failureOf(open.call('getMembers', {}))).code).to.equal('ERR_NETWORK_UNFOUNDED');
      open.node.found();
      const proposal = {
        id: new Uint8Array(32).fill(1),
        proposer: open.node.keys.publicKey,
        action: { evict: { publicKey: new Uint8Array(32).fill(7), reason: 'gone' } },
        expiresAt: 10,
        votes: [
          { sequence: 0, approve: true },
          { sequence: 9, approve: true },
        ],
      };
      open.node.system = { ...open.node.system, proposals: [proposal] };
      const reply = await open.call('getMembers', {});
      expect(reply.members.map(({ nodeId, role, connected }) => ({ nodeId, role, connected }))).to.deep.equal([
        { nodeId: open.node.nodeId, role: 'validator', connected: true },
      ]);
      expect(reply.proposals[0]).to.deep.include({ approvals: [open.node.nodeId], rejections: [] });
      expect(reply).to.include({ quorum: 1, validators: 1, tolerated: 0 });
    });

    it('leaves by a membership transaction, and refuses to before founding', async () => {
      open = await openApi({}, false);
      expect((await failureOf(open.call('leave', {}))).code).to.equal('ERR_NETWORK_UNFOUNDED');
      open.node.found();
      const { transaction } = await open.call('leave', {});
      expect(open.node.pool.get(toHex(transaction))?.value.membership?.leave).to.deep.equal({});
    });
  });

  describe('blocks and state', () => {
    it('gives the tip, one height, one digest and a range', async () => {
      open = await openApi();
      expect((await failureOf(open.call('getBlock', { height: 0 }))).code).to.equal('ERR_BLOCK_NOT_FOUND');
      const first = open.node.commit();
      open.node.commit();
      expect((await open.call('getBlock', { height: 0 })).height).to.equal(2);
      expect((await open.call('getBlock', { height: 0, digest: first.digest })).height).to.equal(1);
      expect((await open.call('getBlocks', { from: 1, limit: 1 })).blocks.map(({ height }) => height)).to.deep.equal([
        1,
      ]);
      const missing = await failureOf(open.call('getBlock', { height: 9 }));
      expect(missing).to.include({ status: grpc.status.NOT_FOUND, code: 'ERR_BLOCK_NOT_FOUND' });
    });

    it('follows blocks without a gap or a repetition, with and without hints', async () => {
      open = await openApi({ pollMs: 10 });
      for (let height = 1; height <= 120; height += 1) open.node.commit();
      const heights: number[] = [];
      const stream = open.stream('followBlocks', { from: 1 });
      stream.on('data', ({ height }: { height: number }) => heights.push(height));
      stream.on('error', () => undefined);
      await until(() => heights.length === 120, 'the stored blocks');
      open.node.commit();
      await until(() => heights.length === 121, 'a block that was told');
      const { onEvent } = open.node;
      open.node.onEvent = () => undefined;
      open.node.commit();
      open.node.commit();
      open.node.onEvent = onEvent;
      await until(() => heights.length === 123, 'blocks of which the event was lost');
      expect(heights).to.deep.equal(Array.from({ length: 123 }, (_, index) => index + 1));
      stream.cancel();
      await until(() => open.events.followers === 0, 'the follower is forgotten');
    });

    it('goes on following when the bus was away for a while', async () => {
      open = await openApi({ pollMs: 10 });
      open.node.cutOffQueries = 2;
      const heights: number[] = [];
      const stream = open.stream('followBlocks', { from: 1 });
      stream.on('data', ({ height }: { height: number }) => heights.push(height));
      const ended: unknown[] = [];
      stream.on('error', (error) => ended.push(error));
      open.node.commit();
      await until(() => heights.length === 1, 'the block');
      expect(open.node.cutOffQueries).to.equal(0);
      expect(ended).to.deep.equal([]);
      stream.cancel();
    });

    it('follows from the next block on, also from before founding', async () => {
      open = await openApi({ pollMs: 10 }, false);
      const stream = open.stream('followBlocks', { from: 0 });
      const heights: number[] = [];
      stream.on('data', ({ height }: { height: number }) => heights.push(height));
      stream.on('error', () => undefined);
      await until(() => open.events.followers === 1, 'the follower is there');
      open.node.found();
      open.node.commit();
      await until(() => heights.length === 1, 'the first block');
      expect(heights).to.deep.equal([1]);
      stream.cancel();
    });

    it('asks the application at the root of the tip, again when a block overtakes it', async () => {
      open = await openApi();
      await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      open.node.commit();
      open.node.staleQueries = 2;
      const answer = await open.call('queryState', { path: 'get', data: utf8('a'), prove: false });
      expect(answer).to.include({ found: true, height: 1 });
      expect(Buffer.from(answer.data).toString()).to.equal('b');
      open.node.staleQueries = 50;
      const failed = await failureOf(open.call('queryState', { path: 'get', data: utf8('a'), prove: false }));
      expect(failed.code).to.equal('ERR_KV_STALE_ROOT');
    });
  });

  describe('the node', () => {
    it('shows itself at a glance, before and after founding', async () => {
      open = await openApi({}, false);
      const before = await open.call('getStatus', {});
      expect(before).to.include({ role: 'unfounded', leader: '', height: 0 });
      expect(before.network).to.have.length(0);
      expect(toHex(before.candidate)).to.equal(toHex(open.node.network));
      open.node.found();
      open.node.commit();
      const after = await open.call('getStatus', {});
      expect(after).to.include({ role: 'validator', leader: open.node.nodeId, height: 1, validators: 1, peers: 0 });
      expect(toHex(after.network)).to.equal(toHex(open.node.network));
      expect(after.candidate).to.have.length(0);
      expect(after.plugins).to.deep.include({
        name: 'chain',
        role: 'chain',
        version: '1.0.0',
        state: 'ready',
        reason: '',
      });
    });

    it('lists peers with their role, leader, validators, genesis and metrics', async () => {
      open = await openApi();
      expect((await open.call('getPeers', {})).peers[0]).to.include({ self: true, role: 'validator' });
      expect((await open.call('getLeader', {})).leader).to.equal(open.node.nodeId);
      expect(await open.call('getValidators', { height: 0 })).to.include({ height: 1, quorum: 1 });
      expect(await open.call('getGenesis', {})).to.include({ settled: true });
      expect(await open.call('getMetrics', {})).to.have.property('text');
      expect((await open.call('verifyStore', {})).problems).to.deep.equal([]);
    });

    it('passes the events of the bus on as JSON', async () => {
      open = await openApi();
      const stream = open.stream('followEvents', { names: ['block.committed'] });
      const events: { name: string; json: string }[] = [];
      stream.on('data', (event: { name: string; json: string }) => events.push(event));
      stream.on('error', () => undefined);
      await until(() => open.events.followers === 1, 'the follower is there');
      await open.call('signAndSubmit', { payload: put('a', 'b'), expiresAt: 0 });
      const block = open.node.commit();
      await until(() => events.length === 1, 'the event');
      expect(events[0]!.name).to.equal('block.committed');
      expect(JSON.parse(events[0]!.json)).to.include({ height: 1, digest: toHex(block.digest) });
      stream.cancel();
    });

    it('refuses to follow an event that does not exist', async () => {
      open = await openApi();
      const stream = open.stream('followEvents', { names: ['block.committed', 'block.comitted'] });
      const error = await new Promise<grpc.ServiceError>((resolve) => {
        stream.on('error', resolve);
        stream.on('data', () => undefined);
      });
      expect(error.code).to.equal(grpc.status.INVALID_ARGUMENT);
      expect(error.details).to.include('"block.comitted"');
      expect(open.events.followers).to.equal(0);
    });

    it('gives errors a status, a code and a hint', async () => {
      open = await openApi();
      const failed = await failureOf(open.call('dial', { address: '127.0.0.1:1' }));
      expect(failed).to.include({ status: grpc.status.UNAVAILABLE, code: 'ERR_PEER_UNREACHABLE' });
      expect(failed.hint).to.match(/address/);
      const gone = await failureOf(open.call('disconnect', { nodeId: 'nobody' }));
      expect(gone).to.include({ status: grpc.status.NOT_FOUND, code: 'ERR_PEER_NOT_CONNECTED' });
    });
  });

  describe('who may call', () => {
    it('keeps a random token in a file of its owner alone, made once', async () => {
      open = await openApi();
      const path = join(open.dataDir, 'api.token');
      const token = (await readFile(path, 'utf8')).trim();
      expect(token).to.match(/^[0-9a-f]{64}$/);
      expect((await stat(path)).mode & 0o777).to.equal(0o600);
    });

    it('lets admin calls in from this host, and from others with the token only', async () => {
      open = await openApi();
      const access = new AdminAccess('secret');
      const code = (peer: string, authorization?: string) => {
        try {
          access.check('Join', peer, authorization);
          return 'ok';
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      for (const peer of ['127.0.0.1:50000', '::1:50000', '::ffff:127.0.0.1:50000', '127.8.9.1:1']) {
        expect(code(peer), peer).to.equal('ok');
      }
      for (const peer of ['10.0.0.1:50000', '::ffff:10.0.0.1:5', '127.evil.example:1', 'unknown', '']) {
        expect(code(peer), peer).to.equal('ERR_API_UNAUTHENTICATED');
        expect(code(peer, 'Bearer wrong'), peer).to.equal('ERR_API_UNAUTHENTICATED');
        expect(code(peer, 'Bearer secret'), peer).to.equal('ok');
      }
    });

    it('refuses to listen beyond loopback without TLS unless told to', async () => {
      open = await openApi();
      const error = await openApi({ listen: '0.0.0.0:0' }).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(error).to.have.property('code', 'ERR_API_INSECURE');
    });

    it('names the address that is taken', async () => {
      open = await openApi();
      const error = await openApi({ listen: open.api.address }).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(error).to.have.property('code', 'ERR_API_LISTEN');
      expect(error).to.have.property('message').that.includes(open.api.address);
    });
  });

  describe('bounds', () => {
    it('answers garbage with a code, and goes on', async () => {
      open = await openApi();
      const answer = await failureOf(
        new Promise((resolve, reject) => {
          open.client.makeUnaryRequest(
            '/itchain.v1.Node/GetTransaction',
            (bytes: Buffer) => bytes,
            (bytes: Buffer) => bytes,
            Buffer.from([0x0a, 0x05, 1, 2]),
            (error, reply) => {
              if (error !== null) reject(error);
              else resolve(reply);
            },
          );
        }),
      );
      expect(answer).to.include({ status: grpc.status.INVALID_ARGUMENT, code: 'ERR_DATA_MALFORMED' });
      const [host, port] = open.api.address.split(':');
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), host, () => socket.end(Buffer.alloc(4_096, 0x41)));
        socket.on('close', () => resolve());
        socket.on('error', () => undefined);
        socket.resume();
      });
      expect((await open.call('getStatus', {})).nodeId).to.equal(open.node.nodeId);
    });

    it('refuses a message over the limit', async () => {
      open = await openApi({ maxMessageBytes: 2_048 });
      const error = await open
        .call('submit', { transactions: [new Uint8Array(4_096)] })
        .catch((cause: unknown) => cause);
      expect(error).to.have.property('code', grpc.status.RESOURCE_EXHAUSTED);
      expect((await open.call('getLeader', {})).leader).to.equal(open.node.nodeId);
    });

    it('cuts off a follower that never reads, with RESOURCE_EXHAUSTED, and no other', async () => {
      open = await openApi({ subscriber: { maxBytes: 1_024, maxEvents: 50, stalledMs: 100 } });
      // Event bodies larger than HTTP/2's window, so that an unread stream fills up.
      const big = { nodeId: 'x'.repeat(64 * 1024), code: '', reason: '' };
      const slowClient = new grpc.Client(open.api.address, grpc.credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
      });
      const slow = slowClient.makeServerStreamRequest(
        '/itchain.v1.Node/FollowEvents',
        (value: { names: string[] }) => Buffer.from(NodeService.methods.followEvents.in.encode(value)),
        (bytes: Buffer) => bytes,
        { names: [] },
      );
      // grpc-js reads without end until the first read is asked for; after one it keeps to the flow control.
      slow.once('data', () => slow.pause());
      let slowEnd: grpc.StatusObject | undefined;
      slow.on('status', (status: grpc.StatusObject) => (slowEnd = status));
      slow.on('error', () => undefined);
      let good = 0;
      const reader = open.stream('followEvents', { names: [] });
      reader.on('data', () => (good += 1));
      reader.on('error', () => undefined);
      await until(() => open.events.followers === 2, 'both follow');
      let told = 0;
      await until(async () => {
        open.events.tell({ name: 'peer.disconnected', body: big, timestamp: 1 });
        told += 1;
        await until(() => good === told, 'the good follower keeps up');
        return open.events.followers === 1;
      }, 'the slow follower is cut');
      slow.resume();
      await until(() => slowEnd !== undefined, 'the slow follower is told');
      expect(slowEnd!.code).to.be.oneOf([grpc.status.RESOURCE_EXHAUSTED, grpc.status.UNAVAILABLE]);
      open.events.tell({ name: 'peer.disconnected', body: big, timestamp: 1 });
      await until(() => good === told + 1, 'the good follower goes on');
      reader.cancel();
      slowClient.close();
    });

    it('limits streams and connections', async () => {
      open = await openApi({ maxStreams: 1, maxConnections: 1 });
      const first = open.stream('followEvents', { names: [] });
      first.on('error', () => undefined);
      first.resume();
      await until(() => open.events.followers === 1, 'the first stream');
      const second = open.stream('followEvents', { names: [] });
      const failed = await failureOf(
        new Promise((resolve, reject) => second.on('error', reject).on('end', resolve).resume()),
      );
      expect(failed.code).to.equal('ERR_API_BUSY');
      const other = new grpc.Client(open.api.address, grpc.credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
      });
      const refused = await new Promise<grpc.ServiceError | null>((resolve) => {
        other.makeUnaryRequest(
          '/itchain.v1.Node/GetStatus',
          () => Buffer.alloc(0),
          (bytes) => bytes,
          {},
          resolve,
        );
      });
      expect(refused?.code).to.equal(grpc.status.UNAVAILABLE);
      other.close();
      first.cancel();
    });
  });

  describe('health, reflection, stop', () => {
    const health = (serviceName: string) =>
      new Promise<string>((resolve, reject) => {
        const definition = healthService['Check'] as unknown as grpc.MethodDefinition<
          { service: string },
          { status: string }
        >;
        open.client.makeUnaryRequest(
          definition.path,
          definition.requestSerialize,
          definition.responseDeserialize,
          { service: serviceName },
          (error, reply) => {
            if (error !== null) reject(error);
            else resolve(reply!.status);
          },
        );
      });

    it('tells the health of the node and of each plugin', async () => {
      open = await openApi();
      expect(await health('')).to.equal('SERVING');
      expect(await health('chain')).to.equal('SERVING');
      expect(await health('nothing').catch((error: unknown) => (error as grpc.ServiceError).code)).to.equal(
        grpc.status.NOT_FOUND,
      );
      open.plugins[0]!.health.state = 'failing';
      await until(async () => (await health('')) === 'NOT_SERVING', 'health follows the plugin');
      expect(await health('chain')).to.equal('NOT_SERVING');
    });

    it('describes its services and messages to a reflection client', async () => {
      open = await openApi();
      const path = join(open.dataDir, 'reflection.proto');
      await writeFile(path, REFLECTION_PROTO);
      const pkg = grpc.loadPackageDefinition(loadSync(path, { keepCase: true })) as unknown as {
        grpc: { reflection: { v1: { ServerReflection: grpc.ServiceClientConstructor } } };
      };
      const client = new pkg.grpc.reflection.v1.ServerReflection(open.api.address, grpc.credentials.createInsecure());
      const ask = (request: object) =>
        new Promise<
          Record<string, { service: { name: string }[]; file_descriptor_proto: Buffer[]; error_code: number }>
        >((resolve, reject) => {
          const stream = (
            client as unknown as { ServerReflectionInfo(): grpc.ClientDuplexStream<object, never> }
          ).ServerReflectionInfo();
          stream.on('data', resolve).on('error', reject);
          stream.write(request);
          stream.end();
        });
      const listed = await ask({ list_services: '*' });
      expect(listed['list_services_response']!.service.map(({ name }) => name)).to.include('itchain.v1.Node');
      for (const symbol of ['itchain.v1.Node', 'itchain.v1.StatusReply', 'itchain.v1.CertifiedBlock']) {
        const found = await ask({ file_containing_symbol: symbol });
        expect(found['file_descriptor_response']?.file_descriptor_proto, symbol).to.have.length.greaterThan(0);
      }
      client.close();
    });

    it('prints a .proto that names every method', async () => {
      open = await openApi();
      const text = clientApiProto();
      for (const { name } of Object.values(NodeService.methods)) expect(text).to.include(`rpc ${name}(`);
    });

    it('finishes what is under way when it stops, and ends streams with a code', async () => {
      open = await openApi();
      const stream = open.stream('followEvents', { names: [] });
      const ended = failureOf(new Promise((resolve, reject) => stream.on('error', reject).on('end', resolve).resume()));
      await until(() => open.events.followers === 1, 'the follower is there');
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const storage = open.node.storage as {
        -readonly [K in keyof OpenApi['node']['storage']]: OpenApi['node']['storage'][K];
      };
      let asked = false;
      storage.verify = async () => {
        asked = true;
        await held;
        return { entries: 7, bytes: 7, problems: [] };
      };
      const underWay = open.call('verifyStore', {});
      await until(() => asked, 'the call is under way');
      const closing = open.api.close();
      const late = failureOf(open.call('getStatus', {}));
      expect((await late).code).to.equal('ERR_API_STOPPING');
      release();
      expect((await underWay).entries).to.equal(7);
      expect((await ended).code).to.equal('ERR_API_STOPPING');
      await closing;
    });
  });

  it('has a default for every option', async () => {
    open = await openApi();
    expect(ApiConfig.parse(undefined)).to.include({
      listen: '127.0.0.1:7001',
      insecure: false,
      maxMessageBytes: 4_194_304,
    });
    expect(() => ApiConfig.parse({ listem: 'x' })).to.throw();
    await chmod(open.dataDir, 0o700);
  });
});

/** google/rpc/status.proto and error_details.proto, as published, in one file. */
const STATUS_PROTO = `syntax = "proto3"; package google.rpc;
message Any { string type_url = 1; bytes value = 2; }
message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
service S { rpc A(Any) returns (Status); rpc B(Any) returns (ErrorInfo); }`;

const REFLECTION_PROTO = `syntax = "proto3";
package grpc.reflection.v1;
service ServerReflection { rpc ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse); }
message ServerReflectionRequest { string host = 1; oneof message_request { string file_by_filename = 3; string file_containing_symbol = 4; string list_services = 7; } }
message ServerReflectionResponse { string valid_host = 1; oneof message_response { FileDescriptorResponse file_descriptor_response = 4; ListServiceResponse list_services_response = 6; ErrorResponse error_response = 7; } }
message FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
message ListServiceResponse { repeated ServiceResponse service = 1; }
message ServiceResponse { string name = 1; }
message ErrorResponse { int32 error_code = 1; string error_message = 2; }
`;
