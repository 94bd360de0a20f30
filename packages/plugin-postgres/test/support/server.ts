/** The database to test on, from `scripts/postgres-tests.mjs`; undefined where there is none. */
export const url = process.env['POSTGRES_URL'];

/** Makes the suite say why it does not run, or runs it. */
export function withDatabase(title: string, define: (this: Mocha.Suite, url: string) => void): void {
  describe(title, function () {
    this.timeout(120_000);
    if (url === undefined) {
      it('is skipped: no PostgreSQL; `node scripts/postgres-tests.mjs` installs and starts one');
      return;
    }
    define.call(this, url);
  });
}
