const HIDDEN = '***';
const MAX_DEPTH = 5;
const MAX_ITEMS = 50;
const MAX_TEXT = 2_000;
const MAX_HEX_BYTES = 32;

/** Words that make a name secret wherever they stand in it. */
const SECRET_WORDS =
  /^(secrets?|tokens?|passwords?|passwd|passphrase|mnemonic|private|credentials?|authorization|cookies?)$/;
/** Words that make a name secret when it ends in them, also without a separator before them. */
const SECRET_ENDING =
  /(^|_)(key|seed)$|(secret|token|password|passwd|passphrase|mnemonic|apikey|privatekey|secretkey)$/;
/** Keys that are no secrets. */
const OPEN_KEY = /(^|_)(public|idempotency|routing|binding|sort|state|storage)_key$/;
// Every repetition is bounded, so that no text, however hostile, takes longer than its length.
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]{0,256}):[^\s/@]{0,1024}@/gi;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const BEARER = /\b(bearer)\s{1,8}[\w.~+/=-]{8,4096}/gi;

/** True for the name of a field that holds a key, token, password or secret. */
export function isSecretName(name: string): boolean {
  const snake = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
  if (OPEN_KEY.test(snake)) return false;
  return SECRET_ENDING.test(snake) || snake.split('_').some((word) => SECRET_WORDS.test(word));
}

/** Text without the passwords of URLs, private keys in PEM and bearer tokens; cut after 2,000 characters. */
export function redactText(text: string): string {
  // Twice what is shown, so that a secret that ends behind the cut is still seen whole.
  const near = text.length > 2 * MAX_TEXT ? text.slice(0, 2 * MAX_TEXT) : text;
  const safe = near.replace(PEM, HIDDEN).replace(URL_PASSWORD, `$1:${HIDDEN}@`).replace(BEARER, `$1 ${HIDDEN}`);
  return safe.length > MAX_TEXT || near.length < text.length ? `${safe.slice(0, MAX_TEXT)}…` : safe;
}

/**
 * A copy of any value that is safe to print: secrets masked by name and by form, bytes as hex (up to 32, else their
 * count), depth, items and text bounded, cycles cut. Never throws.
 */
export function redact(value: unknown, name = '', depth = 0): unknown {
  if (value !== undefined && value !== null && value !== '' && isSecretName(name)) return HIDDEN;
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      return value === null ? null : redactObject(value, depth);
    default:
      return value;
  }
}

function redactObject(value: object, depth: number): unknown {
  if (ArrayBuffer.isView(value)) return redactBytes(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof Error) return redactText(value.message);
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) {
    const items: unknown[] = value.slice(0, MAX_ITEMS).map((item) => redact(item, '', depth + 1));
    return value.length > MAX_ITEMS ? [...items, `… ${String(value.length - MAX_ITEMS)} more`] : items;
  }
  const entries = value instanceof Map ? [...value.entries()] : entriesOf(value);
  return Object.fromEntries(
    entries.slice(0, MAX_ITEMS).map(([key, item]) => [String(key), redact(item, String(key), depth + 1)]),
  );
}

function redactBytes(view: ArrayBufferView): string {
  if (view.byteLength > MAX_HEX_BYTES) return `<${String(view.byteLength)} bytes>`;
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');
}

function entriesOf(value: object): [unknown, unknown][] {
  try {
    return Object.entries(value);
  } catch {
    // A getter of a stranger's object threw; a log line must not fail for it.
    return [['unreadable', true]];
  }
}
