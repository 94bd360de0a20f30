import { createServer } from 'node:net';

/** Below the range that systems draw from by themselves (32768 and up), above what services commonly use. */
const [LOWEST, COUNT] = [10_000, 20_000];
/** Test processes run side by side: each begins somewhere else. */
let next = (process.pid * 613) % COUNT;

/**
 * A port of 127.0.0.1 that nobody listens on. Given once per process, and not from the range of ports that the system gives
 * to connections, so that it is still free when a node opens it seconds later.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries += 1) {
    const port = LOWEST + next;
    next = (next + 1) % COUNT;
    if (await canListen(port)) return port;
  }
  throw new Error('no port is free');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
