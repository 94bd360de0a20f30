import { expect } from 'chai';
import { Complaints, type ComplaintOptions } from '../dist/driver/complaint.js';

const options: ComplaintOptions = {
  enabled: true,
  waitMs: 10_000,
  blocks: 3,
  lateHeights: 3,
  slowHeights: 10,
  maxInRow: 4,
  baseTimeoutMs: 2_000,
};

/** A chain of decided heights, told to the rule. */
class Chain {
  now = 0;
  height = 0;
  readonly rule: Complaints;
  constructor(changes: Partial<ComplaintOptions> = {}) {
    this.rule = new Complaints({ ...options, ...changes });
  }

  /** Decides the next height, `ms` after there was work for it. */
  decide(change: Partial<{ ms: number; proposer: string; round: number; hasRoom: boolean }> = {}): this {
    const { ms = 10, proposer = 'alice', round = 0, hasRoom = true } = change;
    this.height += 1;
    this.rule.observeHeight(this.now, this.height, true);
    this.now += ms;
    this.rule.observeDecided(this.now, { height: this.height, proposer, round, hasRoom });
    this.rule.observeHeight(this.now, this.height + 1, false);
    return this;
  }

  wait(ms: number): this {
    this.now += ms;
    return this;
  }

  pool(oldest: number): this {
    this.rule.observePool(this.now, oldest);
    return this;
  }

  due(leader = 'alice'): string | undefined {
    return this.rule.due(this.now, leader);
  }
}

describe('the complaint rule', () => {
  it('censorship: a transaction waited 10 s and three blocks with room left it out, both', () => {
    const chain = new Chain().decide().pool(77);
    chain.decide().decide().decide();
    expect(chain.due(), 'not long enough').to.equal(undefined);
    chain.wait(9_960);
    expect(chain.due(), 'a moment early').to.equal(undefined);
    chain.wait(10);
    expect(chain.due()).to.equal('censorship');
    const few = new Chain().decide().pool(77).wait(60_000).decide().decide();
    expect(few.due(), 'two blocks').to.equal(undefined);
    expect(few.decide().due()).to.equal('censorship');
  });

  it('a full pool is no reason: blocks that are half full leave nobody out', () => {
    const chain = new Chain().decide().pool(77).wait(20_000);
    for (let block = 0; block < 50; block += 1) chain.decide({ hasRoom: false });
    expect(chain.due()).to.equal(undefined);
  });

  it('a transaction that is taken, or another one that becomes the oldest, starts the wait again', () => {
    const chain = new Chain().decide().pool(77).wait(9_000).decide().decide().decide();
    chain.pool(88).wait(2_000);
    expect(chain.due()).to.equal(undefined);
    chain.decide().decide().decide().wait(8_000);
    expect(chain.due()).to.equal('censorship');
    chain.pool(0);
    expect(chain.due()).to.equal(undefined);
  });

  it('late: three heights in a row of one leader needed a round above 0', () => {
    const chain = new Chain().decide({ round: 1 }).decide({ round: 2 });
    expect(chain.due()).to.equal(undefined);
    expect(chain.decide({ round: 1 }).due()).to.equal('late');
    expect(chain.decide({ round: 0 }).due()).to.equal(undefined);
    chain.decide({ round: 1 }).decide({ round: 1 }).decide({ round: 1, proposer: 'bob' });
    expect(chain.due('bob')).to.equal(undefined);
  });

  it('slow: ten heights in a row with work took more than half the timeout', () => {
    const chain = new Chain();
    for (let height = 0; height < 9; height += 1) chain.decide({ ms: 1_001 });
    expect(chain.due()).to.equal(undefined);
    expect(chain.decide({ ms: 1_001 }).due()).to.equal('slow');
    expect(chain.decide({ ms: 1_000 }).due()).to.equal(undefined);
  });

  it('time without work is nobody’s fault', () => {
    const chain = new Chain();
    for (let height = 0; height < 20; height += 1) chain.wait(60_000).decide({ ms: 10 });
    expect(chain.due()).to.equal(undefined);
  });

  it('another leader gets its own time', () => {
    const chain = new Chain().decide().pool(77).wait(20_000).decide().decide().decide();
    expect(chain.due()).to.equal('censorship');
    expect(chain.due('bob'), 'bob leads by his term').to.equal(undefined);
    chain.decide({ proposer: 'bob' });
    expect(chain.due('bob')).to.equal(undefined);
    chain.wait(10_000).decide({ proposer: 'bob' });
    expect(chain.due('bob'), 'two blocks of bob').to.equal(undefined);
    expect(chain.decide({ proposer: 'bob' }).due('bob')).to.equal('censorship');
  });

  it('what was counted before a gap does not count', () => {
    const chain = new Chain().decide({ round: 1 }).decide({ round: 1 });
    chain.rule.observeGap(chain.now);
    expect(chain.decide({ round: 1 }).due()).to.equal(undefined);
  });

  it('complaints that nobody joins end, and begin again with the counting', () => {
    const chain = new Chain().decide({ round: 1 }).decide({ round: 1 }).decide({ round: 1 });
    for (let complaint = 0; complaint < 4; complaint += 1) {
      expect(chain.due()).to.equal('late');
      chain.rule.complained(chain.now);
      chain.decide({ round: 1 });
    }
    expect(chain.due()).to.equal(undefined);
    expect(chain.decide({ round: 1 }).decide({ round: 1 }).due()).to.equal('late');
  });

  it('can be switched off', () => {
    const chain = new Chain({ enabled: false });
    for (let height = 0; height < 20; height += 1) chain.decide({ round: 1, ms: 5_000 });
    expect(chain.due()).to.equal(undefined);
  });
});
