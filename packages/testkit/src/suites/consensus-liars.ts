import { expect } from 'chai';
import {
  Block,
  BlockHeader,
  Certificate,
  Consensus,
  headerDigest,
  signBytes,
  voteSigningBytes,
  type CertifiedBlock,
} from '@it-chain/contracts';
import type { ConsensusCluster, ConsensusClusterNode } from '../doubles/consensus-cluster.js';
import { agree, leaders, randomOf, settled, textsOf } from './consensus-checks.js';
import { promiseOf } from './promise.js';

/** What the cases with liars need. */
export interface LiarBench {
  /** Makes a network, in which these nodes run twice with one key. */
  readonly open: (twins?: readonly string[]) => ConsensusCluster;
  readonly names: readonly string[];
  readonly patienceMs: number;
  readonly schedules: number;
}

/**
 * The promises of an engine that stands f liars among 3f+1 validators. It knows nothing of the engine's messages: a liar is
 * the engine itself, run twice with one key, behind a line that drops, repeats and spoils what it says, or on a chain
 * that gives it wrong blocks and certificates.
 */
export function testWithLiars(bench: LiarBench): void {
  const { open, names, patienceMs } = bench;
  const f = Math.floor((names.length - 1) / 3);
  const first = Number(process.env['SEED'] ?? 1);
  const seeds = Array.from({ length: bench.schedules }, (_, index) => first + index);
  const slow = 60_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6);
  const promise = (number: string, what: string): string => `${promiseOf(Consensus, number)} (${what})`;
  /** The first leader of a network and those behind it: to lie it is best to lead. */
  const firstLeaders = async (): Promise<number[]> => {
    const cluster = open();
    await cluster.start();
    return leaders(cluster, f);
  };
  const honestOf = (liars: readonly number[]): number[] => [...names.keys()].filter((index) => !liars.includes(index));
  const liarsOf = async (seed: number): Promise<number[]> =>
    seed % 2 === 1 ? firstLeaders() : Array.from({ length: f }, (_, index) => (seed / 2 + index) % names.length);

  it(promise('Q1', 'leaders with a twin, one for each half of the others'), async function () {
    this.timeout(slow);
    const liars = await firstLeaders();
    const honest = honestOf(liars);
    const cluster = open(liars.map((index) => names[index] ?? ''));
    await cluster.start();
    const half = Math.ceil(honest.length / 2);
    const sides = [honest.slice(0, half), honest.slice(half)];
    const twins = [...cluster.nodes.keys()].slice(names.length);
    const groups = [
      [...liars, ...(sides[0] ?? [])],
      [...twins, ...(sides[1] ?? [])],
    ];
    separate(cluster, groups);
    for (const [at, group] of groups.entries()) await cluster.submit(`of side ${at}`, ...group);
    await cluster.clock.advance(60_000);
    agree(cluster, 'while they are apart', honest);
    cluster.cut.clear();
    expect(await settled(cluster, patienceMs, ['of side 0', 'of side 1'], honest), 'committed after it').to.equal(true);
    agree(cluster, 'after they met', honest);
  });

  it(promise('Q1', 'twins of validators that speak to whom they like'), async function () {
    this.timeout(slow);
    for (const seed of seeds) {
      const random = randomOf(seed);
      const liars = await liarsOf(seed);
      const honest = honestOf(liars);
      const cluster = open(liars.map((index) => names[index] ?? ''));
      await cluster.start();
      const texts: string[] = [];
      const twins = [...cluster.nodes.keys()].slice(names.length);
      for (let step = 0; step < 12; step += 1) {
        cluster.cut.clear();
        for (const index of honest) {
          // To the liars, to their twins, to both or to none of them.
          const side = random();
          if (side < 0.55) cutOff(cluster, index, side < 0.3 ? twins : liars);
          else if (side < 0.65) cutOff(cluster, index, [...liars, ...twins]);
          if (random() < 0.15)
            cutOff(
              cluster,
              index,
              honest.filter((other) => other !== index && random() < 0.5),
            );
        }
        texts.push(`tx ${step}`);
        await cluster.submit(`tx ${step}`, ...honest);
        for (const index of [...liars, ...twins]) await cluster.submit(`of ${index} ${step}`, index);
        await cluster.clock.advance(Math.floor(random() * 3_000));
        agree(cluster, `seed ${seed}`, honest);
      }
      cluster.cut.clear();
      expect(await settled(cluster, patienceMs, texts, honest), `seed ${seed}: not committed`).to.equal(true);
      agree(cluster, `seed ${seed}`, honest);
    }
  });

  it(promise('Q2', 'liars that drop, repeat and spoil what they say'), async function () {
    this.timeout(slow);
    for (const seed of seeds) {
      const random = randomOf(seed);
      const liars = await liarsOf(seed);
      const honest = honestOf(liars);
      const cluster = open();
      cluster.tamper = spoiling(random, new Set(liars.map((index) => names[index])));
      await cluster.start();
      const texts = Array.from({ length: 8 }, (_, index) => `tx ${index}`);
      for (const text of texts) {
        await cluster.submit(text);
        await cluster.clock.advance(Math.floor(random() * 1_000));
      }
      expect(await settled(cluster, patienceMs, texts, honest), `seed ${seed}: not committed`).to.equal(true);
      agree(cluster, `seed ${seed}`, honest);
    }
  });

  it(promise('Q2', 'leaders whose blocks break the rules'), async function () {
    this.timeout(slow);
    const liars = await firstLeaders();
    const honest = honestOf(liars);
    const cluster = open();
    for (const index of liars) breakBlocks(cluster.node(index));
    await cluster.start();
    await cluster.submit('tx');
    expect(await settled(cluster, patienceMs, ['tx'], honest), 'committed by another leader').to.equal(true);
    agree(cluster, 'after the others took over', honest);
  });

  for (const [what, forge] of Object.entries(FORGERIES)) {
    it(promise('Q4', what), async function () {
      this.timeout(slow);
      const away = names.length - 1;
      const liars = Array.from({ length: f }, (_, index) => index);
      const others = [...names.keys()].slice(0, -1);
      const honest = honestOf(liars);
      const cluster = open();
      await cluster.start();
      await cluster.stop(away);
      const texts = Array.from({ length: 12 }, (_, index) => `while away ${index}`);
      for (const text of texts) {
        await cluster.submit(text, ...others);
        const everywhere = (): boolean => others.every((index) => textsOf(cluster, index).includes(text));
        expect(await cluster.until(everywhere, patienceMs), text).to.equal(true);
      }
      for (const index of liars) {
        const { blocks } = cluster.node(index).chain;
        blocks.splice(0, blocks.length, ...blocks.map((one) => forge(cluster, cluster.node(index), one)));
      }
      // At first only liars are there to ask.
      separate(cluster, [[away, ...liars], honest.filter((index) => index !== away)]);
      await cluster.start(away);
      await cluster.clock.advance(30_000);
      agree(cluster, 'with the liars alone', honest);
      cluster.cut.clear();
      expect(await settled(cluster, patienceMs, texts, honest), 'caught up from the others').to.equal(true);
      agree(cluster, 'after catching up', honest);
    });
  }
}

/** Cuts every line between nodes of different groups. */
function separate(cluster: ConsensusCluster, groups: readonly (readonly number[])[]): void {
  for (const group of groups) {
    const rest = groups.filter((other) => other !== group).flat();
    for (const index of group) cutOff(cluster, index, rest);
  }
}

/** Cuts the lines between a node and others, both ways. */
function cutOff(cluster: ConsensusCluster, index: number, others: readonly number[]): void {
  const { name } = cluster.node(index);
  for (const other of others) {
    cluster.cut.add(`${name}>${cluster.node(other).name}`);
    cluster.cut.add(`${cluster.node(other).name}>${name}`);
  }
}

/** What a liar remembers to say again. */
const MAX_HEARD = 300;

/** Drops some of what liars say, and all of it to one victim; repeats it, and what they heard; spoils it; adds garbage. */
function spoiling(random: () => number, liars: ReadonlySet<string | undefined>): ConsensusCluster['tamper'] {
  const heard: Uint8Array[] = [];
  const pick = (): Uint8Array => heard[Math.floor(random() * heard.length)] ?? new Uint8Array(0);
  const note = (body: Uint8Array): void => {
    if (heard.length < MAX_HEARD) heard.push(body);
    else heard[Math.floor(random() * MAX_HEARD)] = body;
  };
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  const victims = new Map<string, string>();
  return (from, to, body) => {
    if (liars.has(from.name) || liars.has(to.name)) note(body);
    if (!liars.has(from.name)) return [body];
    if (random() < 0.02) victims.set(from.name, to.name);
    if (victims.get(from.name) === to.name) return [];
    const garbage = random() < 0.3 ? [bytes(Math.floor(random() * 60))] : [];
    const what = random();
    if (what < 0.15) return garbage;
    if (what < 0.3) return [body, pick(), pick(), ...garbage];
    if (what < 0.4) return [pick(), ...garbage];
    if (what < 0.55) {
      const spoilt = Uint8Array.from(body);
      for (let count = 0; count < 3; count += 1)
        spoilt[Math.floor(random() * spoilt.length)] = Math.floor(random() * 256);
      return [spoilt, ...garbage];
    }
    if (what < 0.65) return [body.subarray(0, Math.floor(random() * body.length)), ...garbage];
    return what < 0.75 ? [body, body, ...garbage] : [body, ...garbage];
  };
}

/** Lets a node build blocks that no body fits, and find every block valid. */
function breakBlocks({ chain }: ConsensusClusterNode): void {
  const [build, check] = [chain.build.bind(chain), chain.check.bind(chain)];
  chain.build = (height) => {
    const { block } = build(height);
    const fields = BlockHeader.decode(block.header);
    const header = BlockHeader.encode({ ...fields, transactionRoot: new Uint8Array(32) });
    return { block: { ...block, header }, digest: headerDigest(header, chain.network) };
  };
  chain.check = (block) => ({ ...check(block), valid: true, reason: '' });
}

type Forge = (cluster: ConsensusCluster, liar: ConsensusClusterNode, block: CertifiedBlock) => CertifiedBlock;

/** Seals of all validators that one key has made. */
function sealedAlone(
  cluster: ConsensusCluster,
  liar: ConsensusClusterNode,
  { height, round }: Certificate,
  digest: Uint8Array,
): Uint8Array {
  const message = voteSigningBytes(cluster.network, { type: 'commit', height, round, digest });
  const signature = signBytes(message, liar.context.keys.secretKey);
  const seals = cluster.set.validators.map((_, validator) => ({ validator, signature }));
  return Certificate.encode({ height, round, digest, seals });
}

/** Another block of the same height. */
function another(block: Uint8Array): Block {
  const { header, transactions } = Block.decode(block);
  const { time, ...fields } = BlockHeader.decode(header);
  return { header: BlockHeader.encode({ ...fields, time: time + 1 }), transactions };
}

const FORGERIES: Readonly<Record<string, Forge>> = {
  'a liar has sealed other blocks with its own key': (cluster, liar, { block, certificate }) => {
    const forged = another(block);
    const digest = headerDigest(forged.header, cluster.network);
    return {
      block: Block.encode(forged),
      certificate: sealedAlone(cluster, liar, Certificate.decode(certificate), digest),
    };
  },
  'a liar gives other blocks with the certificates of the right ones': (_cluster, _liar, { block, certificate }) => ({
    block: Block.encode(another(block)),
    certificate,
  }),
  'a liar repeats one seal until there are enough': (cluster, _liar, { block, certificate }) => {
    const { height, round, seals } = Certificate.decode(certificate);
    const forged = another(block);
    const digest = headerDigest(forged.header, cluster.network);
    const repeated = seals.map(() => seals[0] ?? { validator: 0, signature: new Uint8Array(64) });
    return { block: Block.encode(forged), certificate: Certificate.encode({ height, round, digest, seals: repeated }) };
  },
};
