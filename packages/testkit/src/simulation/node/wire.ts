/** Who is at the end of the wire. */
export interface EndIdentity {
  readonly index: number;
  readonly nodeId: string;
  readonly publicKey: Uint8Array;
  /** What comes is taken in so much later, in ms. */
  readonly time: { readonly slowMs: number };
}

/** A session as one of its ends has it. */
export interface OpenSession {
  readonly inbound: boolean;
  readonly since: number;
  /** When the last message of each lane arrives: the next one does not overtake it. */
  readonly lanes: Map<string, number>;
}

/** What an end asks of the wires. */
export interface Wires<End> {
  /** Opens a session, after the time it takes. */
  open(from: End, to: number): Promise<void>;
  /** Something is said to peers. */
  onSaid(kind: string, body: Uint8Array): void;
  /** Carries one message over the session, in the order of its lane. */
  carry(from: End, to: number, lane: string, arrive: (end: End) => void): void;
}
