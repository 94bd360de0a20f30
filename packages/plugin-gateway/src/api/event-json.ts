import { toHex } from '@it-chain/contracts';
import type { FeedEvent } from './event-feed.js';

/** The body of an event as JSON, with bytes in lower-case hex. */
export function eventJson(event: Pick<FeedEvent, 'body'>): string {
  return JSON.stringify(plain(event.body));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
