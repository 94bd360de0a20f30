import { fileURLToPath } from 'node:url';

/** A file of code, its line and column, at the end of a line of a stack. */
const PLACE = /(?:\(|at |async )((?:file:\/\/)?\/[^()]*?):(\d+):\d+\)?$/;

/** The place in the code that a stack begins at, `/path/file.js:12`; files that are not to count are left out. */
export function codePlaceOf(stack: string | undefined, except: readonly string[] = []): string | undefined {
  for (const line of (stack ?? '').split('\n').slice(1)) {
    const [, where, row] = PLACE.exec(line) ?? [];
    if (where === undefined || row === undefined) continue;
    const file = where.startsWith('file://') ? fileURLToPath(where) : where;
    if (!except.includes(file)) return `${file}:${row}`;
  }
  return undefined;
}
