export { main } from './main.js';
export { cliReference } from './docs.js';
export { exampleConfig } from './example-config.js';
export type { Io } from './terminal/io.js';
