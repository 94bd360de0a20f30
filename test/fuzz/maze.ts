import type { Target } from './targets.js';

/**
 * A decoder with a planted fault, behind three conditions of one byte each: blind chance finds it once in 2^24 inputs, a
 * search that goes on from what reached one condition more finds it soon.
 */
export const maze: Target = {
  name: 'maze',
  seeds: [new Uint8Array(3)],
  run: (input) => {
    if (input[0] === 0x66) {
      if (input[1] === 0x75) {
        if (input[2] === 0x7a) throw new Error('the planted fault');
      }
    }
    return true;
  },
};
