import Mocha from 'mocha';

/**
 * Runs a suite on its own and answers the titles of its tests that failed, and how many ran.
 * @param only what the title of a test begins with that is run; all are without it
 */
export async function failuresOf(
  define: () => void,
  only = '',
): Promise<{ readonly failed: string[]; readonly ran: number }> {
  const mocha = new Mocha({ reporter: Mocha.reporters.Base, timeout: 20_000, ...(only === '' ? {} : { fgrep: only }) });
  const names = ['describe', 'it', 'before', 'after', 'beforeEach', 'afterEach'] as const;
  const own = globalThis as unknown as Record<string, unknown>;
  const outer = new Map(names.map((name) => [name, own[name]]));
  // The suites use mocha's globals, as in a test file: for the moment of definition those of another run.
  mocha.suite.emit(Mocha.Suite.constants.EVENT_FILE_PRE_REQUIRE, own as never, '', mocha);
  try {
    define();
  } finally {
    for (const [name, value] of outer) own[name] = value;
  }
  const failed = new Set<string>();
  let ran = 0;
  await new Promise<void>((resolve) => {
    const runner = mocha.run(() => {
      resolve();
    });
    runner.on('fail', (test) => failed.add(test.title));
    runner.on('test end', () => (ran += 1));
  });
  mocha.dispose();
  return { failed: [...failed], ran };
}
