import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@it-chain/contracts';
import { ApiConfig, EventFeed, startClientApi } from '@it-chain/plugin-gateway';
import { FakeContext, type FakeNode } from '@it-chain/testkit';

const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => {
      clearInterval(timer);
    };
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A node of one process whose API is real and whose roles are doubles. */
export interface ServedNode {
  readonly address: string;
  readonly dataDir: string;
  close(): Promise<void>;
}

/** Serves the client API of a fake node; `listen` makes it come back at an address it had. */
export async function serveNode(node: FakeNode, listen = '127.0.0.1:0', config: object = {}): Promise<ServedNode> {
  const dataDir = await mkdtemp(join(tmpdir(), 'it-chain-client-'));
  const context = new FakeContext({ config: {}, dataDir, seed: 'fake-node' });
  const events = new EventFeed();
  node.onEvent = (name, body) => {
    events.tell({ name, body, timestamp: Date.now() });
  };
  const api = await startClientApi(ApiConfig.parse({ listen, pollMs: 20, ...config }), {
    context: {
      log: context.log,
      clock: systemClock,
      metrics: { ...context.metrics, text: () => Promise.resolve('up 1\n') },
      identity: { nodeId: node.nodeId, publicKey: node.keys.publicKey, name: 'fake' },
      node: context.node,
      dataDir: () => join(dataDir, 'gateway'),
      random: (length) => context.random(length),
      sign: (domain, network, content) => context.sign(domain, network, content),
      inspect: () => ({
        plugins: [{ name: 'chain', role: 'chain', version: '1.0.0', state: 'ready', health: { state: 'ok' } }],
        stages: [],
        startedAt: 0,
      }),
    },
    ...node.roles,
    events,
  });
  return {
    address: api.address,
    dataDir,
    close: async () => {
      await api.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
