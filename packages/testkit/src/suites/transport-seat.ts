import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Transport,
  type Infer,
  type PeerAsked,
  type PeerGone,
  type PeerMessage,
  type Plugin,
  type Session,
} from '@it-chain/contracts';
import { PluginHost } from '../host/plugin-host.js';

type AnswerRequest = Parameters<Transport['answer']>[0];

/** One life of a transport plugin, and what it told. */
export class TransportSeat {
  readonly transport: Transport;
  readonly id: string;
  readonly connected: Session[] = [];
  readonly gone: Infer<typeof PeerGone>[] = [];
  /** Connected and disconnected, in order: `+id` and `-id`. */
  readonly changes: string[] = [];
  readonly received: PeerMessage[] = [];
  readonly asked: PeerAsked[] = [];
  /** How the plugin of this node that knows the kind answers; undefined: it does not. */
  onAsked: (asked: PeerAsked) => Promise<Omit<AnswerRequest, 'requestId'> | undefined> = () =>
    Promise.resolve(undefined);
  /** Where it listens, `host:port`. */
  address = '';
  readonly #host: PluginHost;
  readonly #dataDir: string;
  #closed = false;

  private constructor(host: PluginHost, dataDir: string) {
    this.#host = host;
    this.#dataDir = dataDir;
    this.transport = host.use(Transport);
    this.id = host.node.nodeId;
  }

  /** Starts a node of this name, which has a key of its own. */
  static async open(plugin: Plugin, name: string, config: unknown): Promise<TransportSeat> {
    const dataDir = mkdtempSync(join(tmpdir(), 'it-chain-transport-'));
    const host = await PluginHost.create(plugin, { config, dataDir, name });
    const seat = new TransportSeat(host, dataDir);
    try {
      await host.setup();
      await host.start();
      await seat.#listen();
      seat.address = (await seat.transport.status({})).listening;
    } catch (error) {
      await seat.close();
      throw error;
    }
    return seat;
  }

  /** Ids of the peers it has sessions to. */
  async peers(): Promise<string[]> {
    return (await this.transport.sessions({})).sessions.map(({ nodeId }) => nodeId).sort();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#host.stop();
    } finally {
      rmSync(this.#dataDir, { recursive: true, force: true });
    }
  }

  async #listen(): Promise<void> {
    const { events } = Transport;
    await this.#host.on(events.connected, (session) => {
      this.connected.push(session);
      this.changes.push(`+${session.nodeId}`);
    });
    await this.#host.on(events.disconnected, (gone) => {
      this.gone.push(gone);
      this.changes.push(`-${gone.nodeId}`);
    });
    await this.#host.on(events.received, (message) => void this.received.push(message));
    await this.#host.on(events.asked, async (asked) => {
      this.asked.push(asked);
      const answer = await this.onAsked(asked);
      if (answer !== undefined) await this.transport.answer({ requestId: asked.requestId, ...answer });
    });
  }
}
