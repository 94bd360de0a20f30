import { expect } from 'chai';
import fc from 'fast-check';
import { decideFounding, dialPause, type FoundingDecision, type NetworkView } from '@it-chain/plugin-p2p';

const low = '1'.repeat(64);
const high = '2'.repeat(64);
const unfounded = (candidate = 'c'.repeat(64)): NetworkView => ({ height: 0, candidate });
const at = (network: string, height: number): NetworkView => ({ network, height });
const recovered = (network: string, height: number): NetworkView => ({ network, height, recovered: true });

describe('decideFounding', () => {
  const rows: [string, NetworkView, NetworkView, FoundingDecision, FoundingDecision, string?][] = [
    // title, own, other, dialled by the other, dialled by us, pin
    ['unfounded meets unfounded', unfounded(), unfounded(), 'found', 'adopt-candidate'],
    ['unfounded meets unfounded that must not found', unfounded(), { height: 0 }, 'found', 'wait'],
    ['unfounded meets founded at height 0', unfounded(), at(low, 0), 'adopt-network', 'adopt-network'],
    ['unfounded meets founded with blocks', unfounded(), at(low, 9), 'adopt-network', 'adopt-network'],
    ['founded meets unfounded', at(low, 0), unfounded(), 'keep', 'keep'],
    ['founded meets the same network', at(low, 7), at(low, 0), 'keep', 'keep'],
    ['both at height 0, ours lower', at(low, 0), at(high, 0), 'keep', 'keep'],
    ['both at height 0, theirs lower', at(high, 0), at(low, 0), 'adopt-network', 'adopt-network'],
    ['only they have blocks', at(low, 0), at(high, 1), 'adopt-network', 'adopt-network'],
    ['only we have blocks', at(high, 1), at(low, 0), 'keep', 'keep'],
    ['both have blocks', at(low, 1), at(high, 1), 'refuse', 'refuse'],
    ['unfounded meets a recovered network', unfounded(), recovered(high, 9), 'adopt-network', 'adopt-network'],
    ['recovered meets unfounded', recovered(high, 9), unfounded(), 'keep', 'keep'],
    ['founded at height 0 meets a recovered network', at(high, 0), recovered(low, 9), 'refuse', 'refuse'],
    ['recovered, its state not here yet, meets a lower digest', recovered(high, 0), at(low, 0), 'refuse', 'refuse'],
    ['recovered, its state not here yet, meets blocks', recovered(high, 0), at(low, 5), 'refuse', 'refuse'],
    ['recovered meets the network before', recovered(low, 9), at(high, 9), 'refuse', 'refuse'],
    ['recovered meets another recovery', recovered(low, 9), recovered(high, 9), 'refuse', 'refuse'],
    ['recovered meets a node of its own', recovered(low, 9), recovered(low, 0), 'keep', 'keep'],
    ['pinned meets unfounded', unfounded(), unfounded(), 'wait', 'refuse', low],
    ['pinned meets the candidate it wants', unfounded(), unfounded(low), 'wait', 'adopt-candidate', low],
    ['pinned meets another network', unfounded(), at(high, 3), 'refuse', 'refuse', low],
    ['pinned meets its network', unfounded(), at(low, 3), 'adopt-network', 'adopt-network', low],
    ['pinned at height 0 meets a lower network', at(high, 0), at(low, 0), 'refuse', 'refuse', high],
    ['pinned at height 0 meets another network with blocks', at(low, 0), at(high, 1), 'refuse', 'refuse', low],
  ];
  for (const [title, own, other, inbound, outbound, pin] of rows) {
    it(title, () => {
      expect(decideFounding(own, other, 'inbound', pin)).to.equal(inbound);
      expect(decideFounding(own, other, 'outbound', pin)).to.equal(outbound);
    });
  }

  it('never makes both founded sides change, and one of two without blocks always comes over', () => {
    const founded = fc.record({ network: fc.constantFrom(low, high), height: fc.nat({ max: 2 }) });
    fc.assert(
      fc.property(founded, founded, (a, b) => {
        const both = [decideFounding(a, b, 'inbound'), decideFounding(b, a, 'outbound')];
        expect(both.filter((one) => one === 'adopt-network').length).to.equal(
          a.network !== b.network && (a.height === 0 || b.height === 0) ? 1 : 0,
        );
        expect(both.includes('refuse')).to.equal(a.network !== b.network && a.height > 0 && b.height > 0);
      }),
    );
  });
});

describe('dialPause', () => {
  it('grows, is capped, has jitter and is never below the shortest pause', () => {
    const options = { minPauseMs: 1_000, maxPauseMs: 30_000 };
    expect([0, 1, 2, 3, 10, 1_000].map((failures) => dialPause(failures, 0.999999, options))).to.deep.equal([
      1_000, 2_000, 4_000, 8_000, 30_000, 30_000,
    ]);
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999, noNaN: true }), (failures, random) => {
        expect(dialPause(failures, random, options)).to.be.within(1_000, 30_000);
      }),
    );
    expect(dialPause(5, 0, options)).to.be.lessThan(dialPause(5, 0.9, options));
  });
});
