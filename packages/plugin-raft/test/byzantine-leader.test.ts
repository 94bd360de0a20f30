import { expect } from 'chai';
import { RaftSimulation, digestOf, signatureOf, type SimulatedNode } from './support/raft-simulation.js';

/**
 * What Raft does NOT survive. Every follower keeps every rule here; only the leader lies, and it needs nothing but its own
 * key. QBFT exists because of this.
 */
describe('a leader that lies breaks Raft', () => {
  it('two different blocks, both validly certified, are committed at one height on two honest nodes', () => {
    const simulation = new RaftSimulation(1, 3);
    simulation.checkAgreement = false;
    simulation.pooled = false;
    simulation.start();
    const [liar, left, right] = simulation.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
    // The liar's machine is switched off: it speaks by hand, over the same wire, with its own valid signatures.
    simulation.crash(liar);
    // The two do not hear each other for a moment; with a faster liar that is not even needed.
    simulation.partition([left], [right]);
    const promised = new Map<SimulatedNode, string>();
    for (const victim of [left, right]) {
      const block = simulation.newBlock(liar);
      promised.set(victim, digestOf(block));
      simulation.post(liar, victim.key, { kind: 'append', height: 1, round: 0, digest: digestOf(block), block });
      simulation.run(100);
      const record = victim.disk.find(({ kind }) => kind === 'accept');
      expect(record).to.deep.include({ height: 1, round: 0, digest: digestOf(block) });
      const seals = [liar, victim].map(({ key }) => ({
        validator: simulation.nodes.findIndex((node) => node.key === key),
        signature: signatureOf(key, 1, 0, digestOf(block)),
      }));
      const digest = new Uint8Array(Buffer.from(digestOf(block), 'hex'));
      simulation.post(liar, victim.key, { kind: 'decided', certificate: { height: 1, round: 0, digest, seals } });
      simulation.run(100);
    }
    expect(promised.get(left)).to.not.equal(promised.get(right));
    for (const victim of [left, right]) {
      const [first] = victim.blocks;
      expect(first && digestOf(first.block)).to.equal(promised.get(victim));
      expect(first && simulation.isCertified(first.certificate)).to.equal(true);
    }
  });

  it('a lying follower cannot do that: what it says alone is never a majority of two', () => {
    const simulation = new RaftSimulation(2, 3).start();
    const liar = simulation.nodes[2]!;
    for (let turn = 0; turn < 200; turn += 1) {
      simulation.run(10);
      const height = Math.max(...simulation.heights) + 1;
      const block = simulation.newBlock(liar);
      const digest = digestOf(block);
      const signature = signatureOf(liar.key, height, 0, digest);
      for (const { key } of simulation.nodes.slice(0, 2)) {
        simulation.post(liar, key, { kind: 'append', height, round: 0, digest, block });
        simulation.post(liar, key, { kind: 'ack', height, round: 0, digest, signature });
        const seals = [{ validator: 2, signature }];
        const bytes = new Uint8Array(Buffer.from(digest, 'hex'));
        simulation.post(liar, key, { kind: 'decided', certificate: { height, round: 0, digest: bytes, seals } });
      }
    }
    // The simulation has compared every commit with every other one.
    expect(Math.max(...simulation.heights)).to.be.greaterThan(10);
  });
});
