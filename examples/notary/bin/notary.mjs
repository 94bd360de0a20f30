#!/usr/bin/env node
// The client of the notary: registers a document's hash, fetches the proof, and checks a proof without a node.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Block, BlockHeader, Certificate, fromHex, keyPairFromSeed, sameBytes, toHex } from '@it-chain/contracts';
import { createClient } from '@it-chain/client';
import { NotaryProof, Register, verifyNotaryProof } from '../dist/index.js';

const USAGE = `usage: notary.mjs [--api HOST:PORT] COMMAND
  register FILE [--key KEYFILE] [--label TEXT]   registers the hash of FILE; without a key, a new one for this time
  prove FILE PROOF                               fetches what proves it, into the file PROOF
  verify FILE PROOF --network HEX [--validator HEX ...]   checks that without a node`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    api: { type: 'string', default: '127.0.0.1:7001' },
    key: { type: 'string' },
    label: { type: 'string', default: '' },
    network: { type: 'string' },
    validator: { type: 'string', multiple: true },
  },
});
const [command, file, proofFile] = positionals;

function fail(message) {
  process.stderr.write(`${message}\n${USAGE}\n`);
  process.exit(2);
}
const key32 = (text) => fromHex(text ?? '', 32) ?? fail(`not 32 bytes in hex: ${text}`);
const hashOf = (path) => new Uint8Array(createHash('sha256').update(readFileSync(path)).digest());

async function register(client, hash) {
  const seed = values.key === undefined ? randomBytes(32) : Buffer.from(readFileSync(values.key, 'utf8').trim(), 'hex');
  const sent = await client.send(Register.encode({ hash, label: values.label }), keyPairFromSeed(seed));
  const final = sent.status === 'rejected' ? sent : await client.waitForTransaction(sent.id);
  if (final.status !== 'committed') throw new Error(`${final.code}: ${final.reason}`);
  if (final.receipt.code !== 0) throw new Error(`refused (${final.receipt.code}): ${final.receipt.message}`);
  process.stdout.write(`${toHex(hash)} in block ${final.height}\n`);
}

/** The block whose header names this state root: the tip itself, where it is empty, or the one after it. */
async function certifying(client, { height, stateRoot }) {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    for (const { certified } of await client.blocks(Math.max(1, height), 2)) {
      const { header } = Block.decode(certified.block);
      if (sameBytes(BlockHeader.decode(header).previousStateRoot, stateRoot)) return { header, certified };
    }
    await sleep(100);
  }
  throw new Error(`no block certifies the state after block ${height} yet; try again later`);
}

async function prove(client, hash) {
  const answer = await client.query('record', hash, { prove: true });
  if (!answer.found) throw new Error(`${toHex(hash)} is not registered`);
  const { header, certified } = await certifying(client, answer);
  const { validators } = await client.validators(BlockHeader.decode(header).height);
  const { genesis, network } = await client.genesis();
  const { applicationRoot, systemRoot } = answer;
  const certificate = Certificate.decode(certified.certificate);
  const proof = {
    record: answer.data,
    path: answer.proof,
    applicationRoot,
    systemRoot,
    header,
    certificate,
    validators,
  };
  writeFileSync(proofFile, NotaryProof.encode({ ...proof, genesis }));
  process.stdout.write(`${proofFile}: for the network ${toHex(network)}\n`);
}

function verify(hash) {
  const keys = values.validator?.map(key32);
  const validators = keys && { validators: keys.map((publicKey, sequence) => ({ publicKey, sequence })) };
  const record = verifyNotaryProof(readFileSync(proofFile), hash, { network: key32(values.network), validators });
  const { owner, height, time, label } = record;
  process.stdout.write(
    `registered by ${toHex(owner)} in block ${height} at ${new Date(time).toISOString()} ${label}\n`,
  );
}

if (!['register', 'prove', 'verify'].includes(command)) fail(`unknown command: ${command}`);
if (file === undefined || (command !== 'register' && proofFile === undefined)) fail('a file is missing');
const hash = hashOf(file);
const client = command === 'verify' ? undefined : createClient({ address: values.api });
try {
  if (command === 'register') await register(client, hash);
  else if (command === 'prove') await prove(client, hash);
  else verify(hash);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  client?.close();
}
