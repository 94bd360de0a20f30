export { step } from './machine/machine.js';
export { createState, type RaftState } from './machine/state.js';
export type { RaftEffect, RaftInput, RaftMessage, RaftOptions, RaftRecord, RaftTimer } from './machine/interface.js';
export { RAFT_KIND, decodeMessage, decodeRecord, encodeMessage, encodeRecord } from './machine/messages.js';
export { RaftConfig } from './raft-config.js';
export { raftPlugin } from './raft-plugin.js';
export { raftPlugin as default } from './raft-plugin.js';
