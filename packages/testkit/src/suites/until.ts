/** Waits until the condition holds; fails with `what` after a generous limit (times TEST_TIME_FACTOR). */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 2_500 * Number(process.env['TEST_TIME_FACTOR'] ?? 6);
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
