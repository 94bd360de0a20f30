import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP relay on loopback that a test can stall, spoil and cut, as networks do. */
export class Cable {
  /** Where it is dialled, `host:port`. */
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #stalled = false;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Lays a cable to `target`, `host:port`. */
  static async lay(target: string): Promise<Cable> {
    const at = target.lastIndexOf(':');
    const [host, port] = [target.slice(0, at), Number(target.slice(at + 1))];
    const sockets = new Set<Socket>();
    const made: Cable[] = [];
    const server = createServer((near) => {
      const far = connect({ host, port });
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on('error', () => into.destroy());
        from.on('close', () => {
          sockets.delete(from);
          into.destroy();
        });
        // A pipe passes on that the other end reads slowly.
        from.pipe(into);
        if (made[0]?.stalled === true) from.unpipe();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    made.push(new Cable(server, sockets));
    return made[0]!;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  /** Reads nothing any more, from neither end: whoever sends fills his own buffers. */
  stall(): void {
    this.#stalled = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Puts bytes between those of both ends. */
  spoil(bytes: Uint8Array): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  /** Ends all connections, and takes no more. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
