/** One row of docs/errors.md: when the code is seen, and what the reader can do. */
export interface ErrorEntry {
  readonly when: string;
  readonly fix: string;
}
