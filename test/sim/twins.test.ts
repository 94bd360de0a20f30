import { expect } from 'chai';
import { runTwins, runWideArea, TWINS_PER_ROUND, twinsRounds } from '@it-chain/testkit';
import { shippedMachine } from './shipped-machine.js';

describe('twins', function () {
  this.timeout(600_000);

  it('enumerates every split of five processes and every leader, once', () => {
    const cases = new Set<string>();
    for (let index = 0; index < TWINS_PER_ROUND; index += 1) cases.add(JSON.stringify(twinsRounds(index, 1)));
    expect(cases.size).to.equal(64);
    expect(twinsRounds(TWINS_PER_ROUND + 1, 2)).to.deep.equal([...twinsRounds(1, 1), ...twinsRounds(1, 1)]);
  });

  it('safe and live in every case of one round', () => {
    for (let index = 0; index < TWINS_PER_ROUND; index += 1) {
      const { violation } = runTwins(shippedMachine, index, 1);
      expect(violation?.message, `npm run sim -- --twins 1 --seed ${index} --trace`).to.equal(undefined);
    }
  });

  it('a block takes three link delays and a quadratic number of messages', () => {
    const { leaderMs, messagesPerBlock } = runWideArea(shippedMachine, { nodes: 4, linkMs: 50, blocks: 3 });
    expect(leaderMs).to.be.within(150, 200);
    expect(messagesPerBlock).to.be.within(27, 40);
  });
});
