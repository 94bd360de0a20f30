import { Chain, definePlugin, z } from '@it-chain/contracts';
import { createServer } from 'node:http';
import { answer } from './answer.js';

/** The section `with` of the plugin. */
export const Config = z
  .strictObject({
    port: z.int().min(0).max(65_535).default(7080).describe('Port on this machine alone; 0 takes a free one'),
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
    const server = createServer({ requestTimeout: 10_000 }, async (request, response) => {
      const { status, body } = await answer(chain, request.method ?? '', request.url ?? '');
      requests.add(1, { status: String(status) });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    server.maxConnections = config.maxConnections;
    // The door opens when the whole node is ready, and closes first of all.
    context.onAccept(async () => {
      await new Promise<void>((done, failed) => {
        server.once('error', failed).listen(config.port, '127.0.0.1', done);
      });
      log.info('http is open', { address: server.address() });
      return async () => {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      };
    });
  },
});
