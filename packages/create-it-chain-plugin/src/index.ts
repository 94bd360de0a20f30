export { KINDS, kindOf, type Kind } from './kinds.js';
export { scaffold, type ScaffoldOptions } from './scaffold.js';
export { UsageError } from './usage-error.js';
export { main, type Io } from './main.js';
