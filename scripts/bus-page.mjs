// docs/bus.md: what an author of a plugin in any language works from.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

/** The text of the page. */
export function busPage({ contracts, kernel }, note) {
  return [
    `<!-- ${note} -->`,
    ...head(contracts),
    ...connecting(),
    ...manifest({ contracts, kernel }),
    ...onTheWire(contracts),
    ...bytes(contracts),
    '## The roles',
    '',
    ...contracts.catalogue.flatMap((role) => roleSection(contracts, role)),
  ].join('\n');
}

/** Request, answer and body messages of a role. */
export function messagesOf(role) {
  const calls = Object.values(role.calls).flatMap((call) => [call.in, call.out]);
  return [...calls, ...Object.values(role.events).map((event) => event.body)];
}

const head = () => [
  '# The bus',
  '',
  'All that passes between the plugins of a node is on this page: it is what an author of a plugin in any language works from.',
  'The bus is AMQP 0-9-1: the server inside the node, or RabbitMQ 3.10 and later. Bodies are protobuf (proto3); the messages of the roles are in',
  '`packages/contracts/proto/itchain/bus/v1/bus.proto`, what stands in their `bytes` fields is in `packages/contracts/proto/itchain/data/v1/data.proto`.',
  '`docs/asyncapi.yaml` says the same to machines. Two plugins in Python, `examples/audit-python` and `examples/application-python`, were written from this page.',
  '',
  '| kind | meaning | on AMQP 0-9-1 |',
  '|---|---|---|',
  '| query, command | asked of the one provider of a role, answered within a deadline | topic exchange `<ns>.rpc`, mandatory; the exclusive queue of the role; direct reply-to |',
  '| event | something happened; a hint, storage is the truth | topic exchange `<ns>.evt`, confirmed |',
  '| transient | bounded, the oldest dropped | topic exchange `<ns>.cast`, exclusive bounded queue, no ack |',
  '',
];

const connecting = () => [
  '## Connecting',
  '',
  'Every name of an exchange or queue begins with the namespace of the node, `<ns>`: the first 16 characters of its id (`it-chain id`).',
  '',
  '- **The server inside the node** (`bus.listen`, the default): name the manifest of the plugin in the config (`plugins: [{ use: ./it-chain-plugin.json }]`).',
  '  At each start the node makes a user for it with a new password and writes `<dataDir>/bus-users/<name>.json`, mode 0600:',
  '  `{ "url": "amqp://USER:PASSWORD@HOST:PORT", "user", "password", "address", "namespace" }`. Read it at every connect, not only at the first: a restart of',
  '  the node changes it. `<dataDir>/bus.json` has the same fields for the operator; its user may do everything, so it is not for plugins.',
  '- **RabbitMQ** (`bus.url`): `it-chain plugin permissions NAME --rabbitmq commands` prints the `rabbitmqctl` lines that make the user, `--rabbitmq definitions`',
  '  a file for `rabbitmqctl import_definitions`.',
  '',
  'The user may do what the manifest asks for and nothing else; anything else closes the channel with 403 (ACCESS_REFUSED). It cannot declare the exchanges: the',
  'node does. Limits of the server inside the node: frames of 128 KiB, 64 channels a connection, bodies of 16 MiB, 8 connections, 64 queues with 1,024 bindings, 64 MiB that wait in them (unacknowledged or not; then a queue drops or refuses as its x-overflow says) and 1,000 messages a second a plugin (then its connections are not read for a while; all of them can be set in `busServer` of the gateway); while too much',
  'waits in queues it sends `connection.blocked` and reads no more from connections that publish. Connect again after a loss, with growing pauses, and declare and bind everything anew.',
  '',
];

function manifest({ contracts, kernel }) {
  const schema = contracts.z.toJSONSchema(kernel.foreignManifestSchema, { io: 'input' });
  const rows = Object.entries(schema.properties)
    .filter(([name]) => name !== '$schema')
    .map(
      ([name, { description = '' }]) =>
        `| \`${name}\` | ${schema.required.includes(name) ? 'yes' : ''} | ${description} |`,
    );
  const example = readFileSync(join(root, 'examples', 'audit-python', 'it-chain-plugin.json'), 'utf8').trimEnd();
  return [
    '## The manifest of a plugin in another process',
    '',
    'A JSON file; unknown fields are refused. Its path in `use:` ends in `.json`: that is how the node knows that the plugin runs elsewhere. A plugin that requires one of its',
    'roles waits for it, 60 s by default (`timeouts.remoteRoleMs`). What is settled for plugins inside the node is settled for it too: one plugin for each role, and one of each name.',
    '',
    '```json',
    example,
    '```',
    '',
    '| field | needed | |',
    '|---|---|---|',
    ...rows,
    '',
  ];
}

function onTheWire(contracts) {
  const deadline = Math.max(
    ...contracts.catalogue.flatMap((role) => Object.values(role.calls).map((call) => call.timeoutMs)),
  );
  return [
    '## On the wire',
    '',
    '| for | exchange | queue | arguments |',
    '|---|---|---|---|',
    '| the calls of a role | `<ns>.rpc`, topic, durable | `<ns>.rpc.<role>` (`<ns>.rpc.audit.v1`), exclusive, not durable | none |',
    '| events | `<ns>.evt`, topic, durable | named by the server, exclusive | `x-max-length` as you like, `x-overflow: drop-head` |',
    '| events, also those told while away | `<ns>.evt` | `<ns>.evt.<plugin>`, durable | `x-queue-type: quorum`, `x-max-length: 100000`, `x-delivery-limit: 5`, `x-dead-letter-exchange: <ns>.dlx`, `x-overflow: drop-head`, `x-single-active-consumer: true` |',
    '| transient messages | `<ns>.cast`, topic, durable | named by the server, exclusive | `x-max-length`, `x-overflow: drop-head` |',
    '',
    '| property | on | |',
    '|---|---|---|',
    '| `type` | all | the address; of an answer `answer` or `error`; `probe` |',
    '| `content-type` | all | `application/protobuf`, of an error `application/json` |',
    '| `correlation-id`, `reply-to` | requests | a text of your own that nobody can guess, such as a random UUID: who was not asked must not be able to answer; `amq.rabbitmq.reply-to`, the only address that is answered |',
    '| `expiration` | requests | what is left of the deadline, in ms, as text |',
    '| `message-id` | requests, events | the same for each attempt; a receiver leaves out what it has finished |',
    '| `app-id` | requests, events | the name of the plugin |',
    '| `timestamp`, header `timestamp_in_ms` | requests, events | seconds, and milliseconds, since the epoch |',
    '| header `traceparent` | if there is one | W3C trace context |',
    '| header `resent` | if it is | true on a second attempt |',
    '',
    'No header is ever a float: some clients cannot read them.',
    '',
    '### Serving a role',
    '',
    '1. Declare `<ns>.rpc.<role>` exclusively. 405 (RESOURCE_LOCKED): somebody else serves the role; after a crash the broker may hold the old queue for a few seconds, so try again.',
    '2. Consume it without acknowledgements, then bind it to `<ns>.rpc` with the routing key `probe.<role>` and one for each call: reachable means ready.',
    '3. The routing key of a delivery is the call. Publish the answer to the default exchange with the routing key that `reply-to` holds, the same `correlation-id` and the type `answer`.',
    '   To refuse, send the type `error` and the JSON of an error. An optional call that you do not serve is answered with `ERR_ROLE_UNKNOWN_CALL`. Past its `expiration` nobody reads an answer.',
    '4. Answer a message of type `probe` with the type `probe`: its body lists correlation ids, one a line; the answer lists those that you do not have in hand. Answer it as it comes, behind',
    '   the requests before it, also while you work on one. Whoever asks for something long learns that way that you are still there.',
    '5. Take only what came through `<ns>.rpc`: check the exchange of a delivery.',
    '',
    '### Calling',
    '',
    'Consume `amq.rabbitmq.reply-to` without acknowledgements, and publish on the same channel to `<ns>.rpc`, mandatory, with the call as routing key. Returned (`basic.return`): nobody serves it',
    `(\`ERR_BUS_NO_PROVIDER\`). The deadline of each call is in the tables below, ${deadline} ms at most; you may give less. A call is sent once: where its answer does not come, its outcome is unknown.`,
    'To learn of a provider that died with your request, publish a `probe` to `probe.<role>` now and then, mandatory, with your open correlation ids: what it does not have in hand, or all of them',
    'when the probe is returned, is lost.',
    '',
    '### Listening and telling',
    '',
    'Bind your queue to `<ns>.evt` (transient messages: `<ns>.cast`) with the addresses, and take only deliveries whose exchange and routing key are those. Acknowledge an event of the durable queue',
    'when you are done with it, one at a time (prefetch 1) to keep their order; rejected a sixth time it is a dead letter. Tell an event with its address as routing key, persistent, on a channel with publisher confirms.',
    'Events are hints: one can come twice, and the server inside the node forgets its queues at a restart. Whoever must miss nothing asks for what it lacks, as `examples/audit-python` does with `block.range.v1`.',
    '',
    '### Errors',
    '',
    '```json',
    JSON.stringify({
      code: 'ERR_APPLICATION_STALE_ROOT',
      message: 'what happened',
      hint: 'what to do',
      retryable: true,
      data: { height: 7 },
    }),
    '```',
    '',
    '`code` and `message` are needed; `data` holds texts, numbers and booleans. The codes are in [errors.md](errors.md); a plugin may have its own, `ERR_<PLUGIN>_<WHAT>`. An unexpected failure is',
    '`ERR_INTERNAL` without its text, which belongs into your log.',
    '',
  ];
}

function bytes(contracts) {
  const code = (message) => `\`${message.name}\``;
  const { Transaction, Block, BlockHeader, SparseProof } = contracts;
  return [
    '## What the bytes in the messages are',
    '',
    `- A **transaction** is an encoded ${code(Transaction)}, a **block** an encoded ${code(Block)}, whose \`header\` is an encoded ${code(BlockHeader)}. They are canonical: fields in the order of their`,
    '  numbers, absent where they have their default, nothing unknown. Keep and hash the bytes as you got them; an encoder of another language may write them in another way.',
    '- **Hashes** are SHA-256. What is hashed or signed for a domain is: the length of the tag (1 byte), the tag `it-chain/<domain>/1`, the network (32 bytes), the content. The **id of a transaction**',
    '  has the domain `transaction`; its content is the encoded transaction without its last 66 bytes, which are the signature field. The **digest of a block** has the domain `block`; its content',
    '  is the encoded header. The **network** is the digest of the genesis.',
    '- **Keys** are Ed25519 public keys (32 bytes); an **id of a node** is the base58 (Bitcoin) of the SHA-256 of its key.',
    '- **Times** are ms since the epoch, **heights** begin with 1.',
    '',
    '### The state tree',
    '',
    'An application may compute its root as it likes. The state tree that the clients can check proofs of is a sparse Merkle tree: a key stands at the path that the bits of SHA-256(key) are, the highest bit',
    'of the first byte first, 0 to the left. The hash of a leaf is SHA-256(0x02, SHA-256(key), SHA-256(value)), of a node SHA-256(0x03, left, right), of an empty subtree 32 zero bytes; a subtree with',
    `one leaf *is* that leaf. ${code(SparseProof)} holds the hashes beside the path from the root down; where the path of an absent key ends at another leaf, that leaf's two hashes.`,
    '',
    '### An application',
    '',
    'It keeps nothing that lasts (see the role `application`): `execute` answers the writes, chain puts them into the namespace `app` in the batch that commits the block, and after a restart, or where it is',
    'asked at a root that it does not know, the application reads that namespace with `storage.range.v1`, page by page: the next page begins at the last key with a zero byte behind it. A block may be',
    'executed several times, on several roots, before one is committed: keep the states of the last few roots. Results must be the same on every node, so nothing may depend on clocks, randomness, the order of a hash table, floats,',
    'or words of a library that may change. Answer a root that you cannot find in the store with `ERR_APPLICATION_STALE_ROOT`, retryable.',
    '',
  ];
}

function roleSection(contracts, role) {
  const parts = [
    `## ${role.name} (v${role.major})`,
    '',
    role.doc,
    '',
    ...role.promises.map((promise) => `- ${promise}`),
    '',
  ];
  const calls = Object.values(role.calls);
  if (calls.length > 0) {
    parts.push('| call | kind | request | answer | deadline | what it does |', '|---|---|---|---|---|---|');
    for (const call of calls) {
      const kind = `${call.kind}${call.optional === true ? ', optional' : ''}`;
      parts.push(
        `| \`${contracts.callAddress(role, call)}\` | ${kind} | ${call.in.name} | ${call.out.name} | ${call.timeoutMs} ms | ${call.doc} |`,
      );
    }
    parts.push('');
  }
  const events = Object.values(role.events);
  if (events.length > 0) {
    parts.push('| told | kind | body | what it says |', '|---|---|---|---|');
    for (const event of events)
      parts.push(`| \`${contracts.noticeAddress(event)}\` | ${event.kind} | ${event.body.name} | ${event.doc} |`);
    parts.push('');
  }
  const printed = new Map();
  // What a message is made of stands below it, so that nobody has to look for it elsewhere.
  const visit = (message) => {
    if (printed.has(message.name)) return;
    printed.set(message.name, message.print());
    for (const used of message.uses) visit(used);
  };
  messagesOf(role).forEach(visit);
  parts.push('```proto', [...printed.values()].join('\n\n'), '```', '');
  return parts;
}
