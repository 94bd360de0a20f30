export { main } from './main.js';
export { cliReference } from './docs.js';
export type { Io } from './terminal/io.js';
