import { scenarios } from '../support/scenarios.js';

const raft = { electionMs: 1_000, promotion: { healthyMs: 200 } };
scenarios('the three scenarios, on Raft', {
  swap: { consensus: '@it-chain/plugin-raft' },
  sections: { consensus: raft },
});
