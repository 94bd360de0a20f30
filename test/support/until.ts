/** Limits are generous and multiplied by TEST_TIME_FACTOR (default 6), since machines are shared. */
export const timeFactor = Number(process.env['TEST_TIME_FACTOR'] ?? 6);

/** Waits until `look` gives something, looking every 100 ms. @throws what it waited for, and the last error */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 10_000,
): Promise<T> {
  const end = Date.now() + limitMs * timeFactor;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      throw new Error(
        `waited ${limitMs * timeFactor} ms for ${what}${last === undefined ? '' : `: ${last instanceof Error ? last.message : 'it failed'}`}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
