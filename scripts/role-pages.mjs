// One reference page per role for authors of plugins: what comes in and goes out, in which order, with which errors.

/** What the definitions of the roles do not say: who calls, and what is before what. */
const ABOUT = {
  identity: {
    calls: ['consensus (votes), p2p and whoever calls `context.sign`'],
    order: [
      'Served by the kernel, before any plugin starts. No plugin can take its place.',
      '`signVote` answers when the vote is on disk in the guard, so a vote that was sent is never forgotten.',
    ],
    errors: /^ERR_IDENTITY_/,
  },
  storage: {
    calls: ['chain, txpool, p2p and consensus; an application reads the namespace `app`'],
    order: [
      'Started before every plugin that requires it; a write that comes before the store is open is an error with a code.',
      'Conditions and writes of one batch are one step. Two batches of one caller that are not awaited may be done in either order.',
      'A read sees every write that was answered before it was asked.',
      '`storage.failing` is told, then the process ends: nothing may be answered from a store that failed.',
    ],
    errors: /^ERR_STORAGE_/,
  },
  transport: {
    calls: ['p2p (dials, hellos), consensus and txpool (messages), chain (fetches), the client API'],
    order: [
      '`peer.announce` comes before the first session: a handshake never waits for anybody.',
      '`peer.connected` is told before any `message.received` or `peer.asked` of that peer, `peer.disconnected` after the last.',
      'Messages of one peer and lane arrive in their order. Nothing is said about two peers, or about the two lanes of one.',
      'A `peer.asked` is answered with `peer.answer` by the one plugin whose kind it is; the others leave it alone.',
    ],
    errors: /^ERR_PEER_/,
  },
  p2p: {
    calls: ['the client API, txpool, consensus and chain'],
    order: [
      '`network.founded` is told once the network is settled, and again where, at height 0, another one takes its place.',
      'Before founding `network.get` gives the candidate: transactions are signed for its digest.',
      '`leader.updated` follows `consensus.round`; before founding there is no leader.',
    ],
    errors: /^ERR_(?:PEER|NETWORK|DIFFERENT)_/,
  },
  txpool: {
    calls: ['the client API (`submit`, `get`), chain (`take`, `have`), consensus (`status`)'],
    order: [
      '`submit` is answered when the transactions are on disk; `transaction.accepted` is told after that.',
      '`take` removes nothing. `block.proposed` marks what it lists, `block.committed` removes it.',
      'The event of a block may be lost or late: the index of chain in storage says what is committed.',
      '`transaction.rejected` is told only for what had been accepted before.',
    ],
    errors: /^ERR_TX(?:POOL)?_/,
  },
  application: {
    calls: ['txpool (`check`), chain (`execute`), the client API (`query`), p2p (`info`)'],
    order: [
      '`execute` is asked any number of times for one height, with different transactions, always from the root of the tip; none of them has a lasting effect.',
      'The writes of the one that is committed are in the namespace `app` before `block.committed` is told and before the next height is executed.',
      '`query` is asked at the root of the tip; where a block has just been committed it may come with the root before: refuse it as retryable.',
    ],
    errors: /^ERR_(?:APPLICATION|KV)_/,
  },
  chain: {
    calls: ['consensus (`build`, `check`, `commit`, `fetch`), the client API, p2p'],
    order: [
      'One height after the other: `build` or `check`, then `commit`. A `commit` at or below the tip is answered with the tip.',
      '`build` and `check` store the body, synced; `block.proposed` is told after that.',
      '`commit` is one synced batch; `block.committed` is told after it, in the order of heights.',
      'The caller of `commit` has verified the certificate: its form belongs to the consensus engine.',
    ],
    errors: /^ERR_(?:BLOCK|CHAIN|CERTIFICATE)_/,
  },
  consensus: {
    calls: ['the client API and p2p (`status`); everything else it does by itself'],
    order: [
      'It begins with `network.founded`, works while there is work (`transaction.accepted`, an uncertified root, a change of members), then rests.',
      'Each height: `block.build` here or `block.check` of what the leader sent, the votes, `block.commit`. What is signed is in its log (`wal`) before it is sent.',
      'Where peers are ahead: `chain.fetch`, verify each certificate, `block.commit` with the block.',
      '`consensus.round` is told when a height or round is entered.',
    ],
    errors: /^ERR_(?:CONSENSUS|CERTIFICATE)_/,
  },
};

const SUITES = {
  storage: 'testStorage',
  txpool: 'testTxPool',
  application: 'testApplication',
  consensus: 'testConsensus',
  p2p: 'testP2p',
  chain: 'testChain',
  transport: 'testTransport',
};

/** The pages, by path. */
export function rolePages(contracts, note) {
  const pages = Object.fromEntries(
    contracts.catalogue.map((role) => [`docs/plugins/roles/${role.name}.md`, page(contracts, role, note)]),
  );
  return { ...pages, 'docs/plugins/roles/README.md': overview(contracts, note) };
}

function overview(contracts, note) {
  return [
    `<!-- ${note} -->`,
    '# Roles',
    '',
    'A role is what one plugin promises to the others. Each is served by exactly one plugin of a node.',
    '',
    '| role | what it does | calls | told |',
    '|---|---|---|---|',
    ...contracts.catalogue.map((role) => {
      const [calls, events] = [Object.keys(role.calls).length, Object.keys(role.events).length];
      return `| [${role.name}](${role.name}.md) | ${role.doc} | ${calls} | ${events} |`;
    }),
    '',
    'The form of every message is in [bus.md](../../bus.md).',
  ].join('\n');
}

function page(contracts, role, note) {
  const about = ABOUT[role.name] ?? { calls: [], order: [], errors: /^$/ };
  const suite = SUITES[role.name];
  const codes = Object.entries(contracts.errorCatalogue)
    .filter(([code]) => about.errors.test(code))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `<!-- ${note} -->`,
    `# The role ${role.name}`,
    '',
    `${role.doc} Address on the bus: \`${contracts.roleAddress(role)}\`.`,
    '',
    '## Promises',
    '',
    ...role.promises.map((promise) => `- ${promise}`),
    '',
    suite === undefined
      ? 'Promises of any plugin: `testPlugin` of `@it-chain/testkit`. For those of this role there is no suite yet.'
      : `\`${suite}\` of \`@it-chain/testkit\` tests them; \`testPlugin\` tests what every plugin promises.`,
    '',
    '## What it handles',
    '',
    `Called by: ${about.calls.join('; ')}.`,
    '',
    '| call | method | kind | request | answer | deadline | what it does |',
    '|---|---|---|---|---|---|---|',
    ...Object.entries(role.calls).map(
      ([method, call]) =>
        `| \`${contracts.callAddress(role, call)}\` | \`${method}\` | ${call.kind} | ${call.in.name} | ${call.out.name} | ${call.timeoutMs} ms | ${call.doc} |`,
    ),
    '',
    'A query changes nothing and may be asked again. A command whose answer was lost may have been done: it says itself what a repetition does.',
    '',
    '## What it tells',
    '',
    ...(Object.keys(role.events).length === 0
      ? ['Nothing.']
      : [
          '| event | in code | kind | body | what it says |',
          '|---|---|---|---|---|',
          ...Object.entries(role.events).map(
            ([key, event]) =>
              `| \`${contracts.noticeAddress(event)}\` | \`events.${key}\` | ${event.kind}${event.maxQueued > 0 ? `, at most ${event.maxQueued} waiting` : ''} | ${event.body.name} | ${event.doc} |`,
          ),
        ]),
    '',
    '## Order',
    '',
    ...about.order.map((sentence) => `- ${sentence}`),
    '',
    '## Errors',
    '',
    'Any call may end with `ERR_BUS_NO_PROVIDER`, `ERR_BUS_PROVIDER_LOST`, `ERR_BUS_TIMEOUT` or `ERR_BUS_CLOSED`; an error without a code becomes',
    '`ERR_INTERNAL` for the caller, with its text in the log of the plugin only. Codes of this role:',
    '',
    ...(codes.length === 0
      ? ['None of its own.']
      : [
          '| code | when | what to do |',
          '|---|---|---|',
          ...codes.map(([code, { when, fix }]) => `| \`${code}\` | ${when} | ${fix} |`),
        ]),
  ].join('\n');
}
