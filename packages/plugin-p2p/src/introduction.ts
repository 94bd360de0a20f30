import { Hello, PEER_KINDS, type Infer, type Transport, type TransportStatus } from '@it-chain/contracts';

/** What this node says of itself to others: its hello, and the address at which it is reached. */
export class Introduction {
  readonly #transport: Transport;
  readonly #hello: () => Hello;
  #address = '';
  /** The hello that the gateway shows in coming handshakes. */
  #announced = '';

  constructor(transport: Transport, hello: () => Hello) {
    this.#transport = transport;
    this.#hello = hello;
  }

  /** `HOST:PORT` at which others reach this node; empty until the gateway has opened. */
  get address(): string {
    return this.#address;
  }

  /** What the gateway says about where it listens. */
  noteAddress({ advertised }: Pick<Infer<typeof TransportStatus>, 'advertised'>): void {
    this.#address = advertised;
  }

  /** Sets the hello of coming sessions, where it is another one. */
  async announce(): Promise<void> {
    const hello = this.#hello();
    const encoded = Buffer.from(Hello.encode(hello)).toString('latin1');
    if (encoded === this.#announced) return;
    await this.#transport.announce({ hello });
    this.#announced = encoded;
  }

  /** Tells open sessions what holds now; no names = all. */
  async tell(peers: readonly string[]): Promise<void> {
    const hello = { ...this.#hello(), addresses: this.#address === '' ? [] : [this.#address] };
    await this.#transport.deliver({ peers, kind: PEER_KINDS.hello, body: Hello.encode(hello), lane: 'control' });
  }
}
