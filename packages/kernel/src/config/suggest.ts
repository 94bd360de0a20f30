import { distance } from 'fastest-levenshtein';

const MAX_CANDIDATES = 5_000;
const MAX_LENGTH = 128;

/** A name without case and separators, so that MAX_PENDING, max-pending and maxPending are one. */
export function plainName(name: string): string {
  return name.replace(/[-_.]/g, '').toLowerCase();
}

/** The candidate that somebody who wrote `name` most likely meant, if any is near enough. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const wanted = plainName(name);
  let best: { readonly candidate: string; readonly edits: number } | undefined;
  for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
    const edits = distance(wanted, plainName(candidate));
    if (edits <= limitFor(wanted, candidate) && (best === undefined || edits < best.edits)) best = { candidate, edits };
  }
  return best?.candidate;
}

/** `did you mean maxPending?`, or what else may be written there. */
export function suggestion(name: string, candidates: readonly string[]): string | undefined {
  const near = nearest(name, candidates);
  if (near !== undefined) return `did you mean ${near}?`;
  if (candidates.length === 0) return undefined;
  const shown = candidates.slice(0, 12).join(', ');
  return `known here: ${shown}${candidates.length > 12 ? ', …' : ''}`;
}

/** Two letters of five may differ, at least one; two names of one or two letters are never alike. */
function limitFor(wanted: string, candidate: string): number {
  const length = Math.max(wanted.length, plainName(candidate).length);
  return length <= 2 ? 0 : Math.max(1, Math.round(length * 0.4));
}
