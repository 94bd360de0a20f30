import { equal, match } from 'node:assert/strict';
import { FakeNode } from '@it-chain/testkit';
import { answer } from '../src/answer.js';

describe('the answers', () => {
  const node = new FakeNode();
  const get = (url: string, method = 'GET') => answer(node.roles.chain, method, url);

  it('say with a code what is wrong', async () => {
    equal((await get('/tip')).status, 503);
    match(JSON.stringify((await get('/tip')).body), /ERR_NETWORK_UNFOUNDED/);
    node.found();
    equal((await get('/blocks/1')).status, 404);
    equal((await get('/blocks/one')).status, 404);
    equal((await get('/tip', 'POST')).status, 405);
  });

  it('are the tip and the blocks', async () => {
    node.commit();
    match(JSON.stringify((await get('/tip')).body), /"height":1/);
    const { status, body } = await get('/blocks/1');
    equal(status, 200);
    match(JSON.stringify(body), /"transactions":0/);
  });
});
