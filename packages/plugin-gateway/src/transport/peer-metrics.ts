import { PEER_KINDS, type Metrics } from '@it-chain/contracts';

const KNOWN: ReadonlySet<string> = new Set(Object.values(PEER_KINDS));

/** The metrics of the peer sessions. Kinds that this framework does not know count as `other`: peers choose them. */
export class PeerMetrics {
  readonly #peers;
  readonly #sent;
  readonly #received;
  readonly #dialFailures;
  readonly #refused;
  readonly #bans;

  constructor(metrics: Metrics) {
    this.#peers = metrics.gauge('p2p_peers', 'Open sessions.', ['direction']);
    this.#sent = metrics.counter('p2p_message_send_bytes_total', 'Bytes queued for peers.', ['kind']);
    this.#received = metrics.counter('p2p_message_receive_bytes_total', 'Bytes of messages of peers.', ['kind']);
    this.#dialFailures = metrics.counter('p2p_dial_failures_total', 'Dials that failed.', ['reason']);
    this.#refused = metrics.counter('p2p_inbound_refused_total', 'Connections of others that were refused.', [
      'reason',
    ]);
    this.#bans = metrics.counter('p2p_bans_total', 'Bans of peers and addresses.');
  }

  peers(inbound: number, outbound: number): void {
    this.#peers.set(inbound, { direction: 'inbound' });
    this.#peers.set(outbound, { direction: 'outbound' });
  }
  sent(kind: string, bytes: number): void {
    this.#sent.add(bytes, { kind: label(kind) });
  }
  received(kind: string, bytes: number): void {
    this.#received.add(bytes, { kind: label(kind) });
  }
  dialFailed(code: string): void {
    this.#dialFailures.add(1, { reason: code });
  }
  refused(code: string): void {
    this.#refused.add(1, { reason: code });
  }
  banned(): void {
    this.#bans.add();
  }
}

function label(kind: string): string {
  return KNOWN.has(kind) ? kind : 'other';
}
