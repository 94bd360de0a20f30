import { Chain, definePlugin, z } from '@it-chain/contracts';
import { createServer } from 'node:http';
import { answer } from './answer.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    host: z.enum(['127.0.0.1', '::1']).default('127.0.0.1').describe('Where it listens: this machine only'),
    port: z.int().min(0).max(65_535).default(7080).describe('Port; 0 takes a free one'),
    maxConnections: z.int().min(1).max(1_000).default(100).describe('Most connections at a time'),
  })
  .prefault({});

export default definePlugin({
  name: 'my-plugin',
  version: '1.0.0',
  uses: [Chain],
  config: Config,
  setup(context) {
    const { config, log } = context;
    const chain = context.use(Chain);
    const requests = context.metrics.counter('http_requests_total', 'Requests that were answered', ['status']);
    const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
      void answer(chain, request.method ?? '', request.url ?? '').then(({ status, body }) => {
        requests.add(1, { status: String(status) });
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    // The door opens when the whole node is ready, and closes first of all.
    context.onAccept(async () => {
      server.maxConnections = config.maxConnections;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(config.port, config.host, resolve);
      });
      log.info('http is open', { address: server.address() });
      return () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        });
    });
  },
});
