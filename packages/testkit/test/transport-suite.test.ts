import { expect } from 'chai';
import { Transport, type Plugin, type Transport as TransportServed } from '@it-chain/contracts';
import { testTransport } from '@it-chain/testkit';
import gateway from '@it-chain/plugin-gateway';
import { altered, type Alterations } from './altered.js';
import { failuresOf } from './failures-of.js';

type Request<Call extends keyof TransportServed> = Parameters<NonNullable<TransportServed[Call]>>[0];

const right = gateway as unknown as Plugin;
const doors = { peers: { listen: '127.0.0.1:0' }, api: { listen: '127.0.0.1:0' } };
const over = (plugin: Plugin) => () => {
  const bytes = 1024 * 1024;
  const config = { ...doors, peers: { ...doors.peers, limits: { sendBytes: bytes } } };
  testTransport(plugin, { config: doors, budget: { config, bytes } });
};

/** Sends every other message of a lane a little later. */
function shuffling(own: TransportServed): object {
  let count = 0;
  return {
    deliver: async (request: Request<'deliver'>) => {
      if ((count += 1) % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      return own.deliver(request);
    },
  };
}

const WRONG: readonly (readonly [string, Alterations, string])[] = [
  [
    'takes every proof for right',
    { context: () => ({ verify: (checks) => Promise.resolve(checks.map(() => true)) }) },
    'T1',
  ],
  [
    'tells of a session twice',
    {
      context: (context) => ({
        emit: async (notice, body) => {
          await context.emit(notice, body);
          if (notice.name === Transport.events.connected.name) await context.emit(notice, body);
        },
      }),
    },
    'T2',
  ],
  ['changes the order of messages', { serves: shuffling }, 'T3'],
  [
    'changes what is in a message',
    {
      serves: (own: TransportServed) => ({
        deliver: ({ body, ...request }: Request<'deliver'>) =>
          own.deliver({ ...request, body: body.length > 100_000 ? body.subarray(1) : body }),
      }),
    },
    'T3',
  ],
  [
    'takes for a slow peer whatever comes',
    {
      serves: (own: TransportServed) => ({
        deliver: async (request: Request<'deliver'>) => {
          await own.deliver(request);
          return { peers: request.peers.length };
        },
      }),
    },
    'T4',
  ],
  [
    'lets everybody wait for the slowest peer',
    {
      serves: (own: TransportServed) => ({
        deliver: async (request: Request<'deliver'>) => {
          let reached = 0;
          for (const peer of request.peers) {
            const { peers } = await own.deliver({ ...request, peers: [peer] });
            if (peers === 0) break;
            reached += 1;
          }
          return { peers: reached };
        },
      }),
    },
    'T4',
  ],
  [
    'does not look at the id that was asked for',
    {
      serves: (own: TransportServed) => ({
        dial: ({ address }: Request<'dial'>) => own.dial({ address: address.slice(address.indexOf('@') + 1) }),
      }),
    },
    'T5',
  ],
  [
    'answers an error with an empty body',
    {
      serves: (own: TransportServed) => ({
        answer: (request: Request<'answer'>) => own.answer({ ...request, errorCode: '', errorMessage: '' }),
      }),
    },
    'T6',
  ],
  [
    'forgets what it announced',
    { serves: () => ({ announce: () => Promise.resolve({}) }) },
    'shows the hello that was announced last',
  ],
];

describe('the transport suite', function () {
  this.timeout(240_000);
  for (const [what, alterations, promise] of WRONG) {
    it(`finds a transport that ${what}`, async () => {
      expect((await failuresOf(over(altered(right, alterations)), promise)).failed).to.have.length(1);
    });
  }

  it('finds nothing in a transport that is right', async () => {
    expect((await failuresOf(over(altered(right, {})), 'T5')).failed).to.deep.equal([]);
  });
});
