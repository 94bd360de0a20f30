import { expect } from 'chai';
import {
  Chain,
  definePlugin,
  followBlocks,
  type BlockReader,
  type CommittedBlock,
  type Plugin,
} from '@it-chain/contracts';
import { FakeContext, FakeNode, settle } from '@it-chain/testkit';

/** A reader that remembers heights, and fails where a test says so. */
class Heights implements BlockReader {
  readonly taken: number[] = [];
  fails = false;
  closed = false;
  constructor(public height = 0) {}
  async take(block: CommittedBlock): Promise<void> {
    await Promise.resolve();
    if (this.fails) throw new Error('the disk is full');
    this.taken.push(block.height);
    this.height = block.height;
  }
  close(): void {
    this.closed = true;
  }
}

async function following(reader: BlockReader, node = new FakeNode()) {
  const plugin = definePlugin({
    name: 'reader',
    version: '1.0.0',
    requires: [Chain],
    setup: (context) => followBlocks(context, () => reader),
  }) as unknown as Plugin;
  const context = new FakeContext({ config: undefined, roles: { chain: node.roles.chain } });
  node.onEvent = (name, body) => {
    if (name === Chain.events.committed.name) void context.tell(Chain.events.committed, body as never);
  };
  const running = await context.setup(plugin);
  await running.start();
  await settle();
  return { node, context, running };
}

describe('followBlocks', () => {
  it('gives what was committed before, and then each block once, in order', async () => {
    const before = new FakeNode();
    before.found();
    before.commit();
    before.commit();
    const reader = new Heights();
    const { node, running } = await following(reader, before);
    expect(reader.taken).to.deep.equal([1, 2]);
    for (let count = 0; count < 20; count += 1) node.commit();
    await settle(200);
    expect(reader.taken).to.deep.equal(Array.from({ length: 22 }, (_, index) => index + 1));
    await running.stop();
    expect(reader.closed).to.equal(true);
    node.commit();
    await settle();
    expect(reader.taken).to.have.length(22);
  });

  it('goes on behind what the reader has, and finds by itself what no event told', async () => {
    const node = new FakeNode();
    node.found();
    for (let count = 0; count < 3; count += 1) node.commit();
    const reader = new Heights(2);
    const { context, running } = await following(reader, node);
    expect(reader.taken).to.deep.equal([3]);
    node.onEvent = () => undefined;
    node.commit();
    await context.clock.advance(1_000);
    await settle();
    expect(reader.taken).to.deep.equal([3, 4]);
    await running.stop();
  });

  it('is quiet before founding', async () => {
    const { context, running } = await following(new Heights());
    await context.clock.advance(5_000);
    expect(context.lastHealth.state).to.equal('ok');
    await running.stop();
  });

  it('gives a block again that the reader could not take, and says meanwhile what is wrong', async () => {
    const reader = new Heights();
    const { node, context, running } = await following(reader);
    reader.fails = true;
    node.found();
    node.commit();
    await settle();
    expect(context.lastHealth).to.deep.equal({ state: 'degraded', reason: 'the disk is full' });
    reader.fails = false;
    await context.clock.advance(1_000);
    await settle();
    expect(reader.taken).to.deep.equal([1]);
    expect(context.lastHealth.state).to.equal('ok');
    await running.stop();
  });

  it('leaves no gap where the chain does not have a block any more, and names it', async () => {
    const node = new FakeNode();
    node.found();
    node.commit();
    node.commit();
    const { chain } = node.roles;
    const pruned = { ...chain, get: () => Promise.resolve({ digest: new Uint8Array(0) }) };
    Object.defineProperty(node, 'roles', { value: { ...node.roles, chain: pruned } });
    const reader = new Heights();
    const { context, running } = await following(reader, node);
    expect(reader.taken).to.deep.equal([]);
    expect(context.lastHealth.reason).to.include('no block 1');
    await running.stop();
  });

  it('finds a reader that does not count what it takes, instead of giving it one block for ever', async () => {
    const node = new FakeNode();
    node.found();
    node.commit();
    let taken = 0;
    const { context, running } = await following({ height: 0, take: () => void (taken += 1) }, node);
    expect(taken).to.equal(1);
    expect(context.lastHealth.reason).to.include('stands at 0');
    await running.stop();
  });
});
