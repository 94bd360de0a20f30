/** Version of the layout of the tables. */
export const STORE_FORMAT = 1;

/** The statements for one schema. Its name is checked by the config: letters, digits and underscores. */
// The type is what is written here: spelled out, it would say every name twice.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export const statementsFor = (schema: string) => ({
  create: `
    CREATE SCHEMA IF NOT EXISTS ${schema};
    CREATE TABLE ${schema}.entries (
      namespace smallint NOT NULL, key bytea NOT NULL, value bytea NOT NULL, PRIMARY KEY (namespace, key)
    );
    ALTER TABLE ${schema}.entries ALTER COLUMN value SET STORAGE EXTERNAL;
    CREATE TABLE ${schema}.writers (name text PRIMARY KEY, sequence bigint NOT NULL);
    CREATE TABLE ${schema}.store (format int NOT NULL, store_id text NOT NULL, batch bigint NOT NULL);`,
  found: `INSERT INTO ${schema}.store VALUES (${STORE_FORMAT}, $1, 0)`,
  store: `SELECT format, store_id, batch FROM ${schema}.store`,
  exists: `SELECT to_regclass('${schema}.store') IS NOT NULL AS found`,
  read: `SELECT key, value FROM ${schema}.entries WHERE namespace = $1 AND key = ANY($2::bytea[])`,
  readMany: `SELECT e.namespace, e.key, e.value FROM ${schema}.entries e
    JOIN unnest($1::smallint[], $2::bytea[]) AS w(namespace, key) USING (namespace, key)`,
  writers: `SELECT name, sequence FROM ${schema}.writers WHERE name = ANY($1::text[])`,
  put: `INSERT INTO ${schema}.entries SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[])
    ON CONFLICT (namespace, key) DO UPDATE SET value = EXCLUDED.value`,
  remove: `DELETE FROM ${schema}.entries e USING unnest($1::smallint[], $2::bytea[]) AS w(namespace, key)
    WHERE e.namespace = w.namespace AND e.key = w.key`,
  putWriters: `INSERT INTO ${schema}.writers SELECT * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (name) DO UPDATE SET sequence = EXCLUDED.sequence`,
  count: `UPDATE ${schema}.store SET batch = $1`,
  /** Sizes are summed before values are fetched, so no page is larger than it may be. */
  range: (reverse: boolean, open: boolean) => {
    const order = reverse ? 'DESC' : 'ASC';
    return `SELECT key, value FROM (
        SELECT key, value, sum(octet_length(key) + octet_length(value) - 8) OVER (ORDER BY key ${order}) AS total,
          row_number() OVER (ORDER BY key ${order}) AS place
        FROM (SELECT key, value FROM ${schema}.entries
          WHERE namespace = $1 AND key >= $2 ${open ? '' : 'AND key < $5'} ORDER BY key ${order} LIMIT $3) AS page
      ) AS sized WHERE total <= $4 OR place = 1 ORDER BY key ${order}`;
  },
  more: (reverse: boolean, open: boolean) =>
    `SELECT 1 FROM ${schema}.entries WHERE namespace = $1 AND key >= $2 ${open ? '' : 'AND key < $4'}
      AND key ${reverse ? '<' : '>'} $3 LIMIT 1`,
  walk: `SELECT namespace, key, value FROM ${schema}.entries WHERE (namespace, key) > ($1, $2)
    ORDER BY namespace, key LIMIT 500`,
});
export type Statements = ReturnType<typeof statementsFor>;
