import { sameBytes, toHex, type Block, type Certificate, type ChainTip } from '@it-chain/contracts';
import {
  createState,
  explain,
  step,
  type ConsensusMessage,
  type Effect,
  type Input,
  type LogRecord,
  type State,
} from '@it-chain/plugin-consensus';
import { blockOn, digestOf, genesisTip, keyOf, nameOf, optionsOf, signRecord, tipAfter } from './fixtures.js';

interface Actor {
  readonly index: number;
  state: State;
  log: LogRecord[];
  chain: { block: Block; certificate: Certificate }[];
  tips: ChainTip[];
  alive: boolean;
}

interface Letter {
  readonly from: number;
  readonly to: number;
  readonly content: ConsensusMessage;
  readonly attempt: number;
}

/** Runs the commands of a scenario text and prints what the machines do. Nothing happens by itself: time is a command. */
export class Scenario {
  #actors: Actor[] = [];
  #letters: Letter[] = [];
  #trace: string[] = [];
  #salt = 0;
  readonly #names = new Map<string, string>();
  readonly #cut = new Set<string>();

  /** `nodes N`, `work N...`, `stabilize`, `timeout N`, `rebroadcast N`, `status N`, `crash N`, `restart N`, `cut A B`, `mute A B`, `heal`, `show`. */
  run(command: string): string[] {
    this.#trace = [];
    const [verb, ...words] = command.split(' ');
    const numbers = words.map(Number);
    const [first = 0, second = 0] = numbers;
    if (verb === 'nodes') this.#create(first);
    else if (verb === 'work')
      for (const index of numbers) this.#input(index, { type: 'work', pooled: true, leaderDown: false });
    else if (verb === 'rest')
      for (const index of numbers) this.#input(index, { type: 'work', pooled: false, leaderDown: false });
    else if (verb === 'timeout') this.#timeout(first, 'round');
    else if (verb === 'rebroadcast') this.#timeout(first, 'rebroadcast');
    else if (verb === 'status') this.#timeout(first, 'status');
    else if (verb === 'crash') this.#actor(first).alive = false;
    else if (verb === 'restart') this.#restart(first);
    else if (verb === 'cut') this.#cutLink(first, second);
    else if (verb === 'mute') this.#cut.add(`${first}>${second}`);
    else if (verb === 'heal') this.#cut.clear();
    else if (verb === 'show') this.#show();
    else if (verb !== 'stabilize') throw new Error(`the scenario knows no command "${command}"`);
    if (verb === 'stabilize') this.#deliver();
    return this.#trace.length === 0 ? ['ok'] : this.#trace;
  }

  #create(n: number): void {
    for (let index = 0; index < n; index += 1) {
      this.#actors.push({
        index,
        state: createState(optionsOf(index)),
        log: [],
        chain: [],
        tips: [genesisTip(n)],
        alive: false,
      });
    }
    for (const { index } of this.#actors) this.#restart(index);
    this.#letters = [];
    this.#trace = [];
  }

  #restart(index: number): void {
    const actor = this.#actor(index);
    actor.alive = true;
    actor.state = createState(optionsOf(index));
    const tip = actor.tips.at(-1) ?? genesisTip(1);
    this.#input(index, {
      type: 'start',
      tip,
      records: actor.log.filter(({ message }) => message.vote.height > tip.height),
    });
    for (const other of this.#actors)
      if (other !== actor) this.#input(index, { type: 'connected', peer: keyOf(other.index) });
  }

  #actor(index: number): Actor {
    const actor = this.#actors[index];
    if (actor === undefined) throw new Error(`the scenario has no node ${index}`);
    return actor;
  }

  #cutLink(a: number, b: number): void {
    this.#cut.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  #timeout(index: number, timer: 'round' | 'rebroadcast' | 'status'): void {
    const { state } = this.#actor(index);
    this.#input(index, { type: 'timeout', timer, height: state.height, round: timer === 'round' ? state.at.round : 0 });
  }

  #show(): void {
    for (const { index, state, alive } of this.#actors) {
      const { height, round, leader, waiting } = explain(state);
      const who = nameOf(Buffer.from(leader, 'hex'));
      this.#say(
        index,
        alive ? `height ${height} round ${round} leader ${who}${waiting === '' ? '' : ', waiting'}` : 'is down',
      );
    }
  }

  #deliver(): void {
    for (let count = 0; this.#letters.length > 0; count += 1) {
      if (count > 10_000) throw new Error('the scenario does not come to rest');
      const letter = this.#letters.shift();
      if (letter === undefined || !this.#actor(letter.to).alive || this.#cut.has(`${letter.from}>${letter.to}`))
        continue;
      this.#input(letter.to, {
        type: 'message',
        from: keyOf(letter.from),
        content: letter.content,
        attempt: letter.attempt,
      });
    }
  }

  #input(index: number, input: Input): void {
    const actor = this.#actor(index);
    if (!actor.alive) return;
    for (const effect of step(actor.state, input)) this.#apply(actor, effect);
  }

  #apply(actor: Actor, effect: Effect): void {
    const { index } = actor;
    switch (effect.type) {
      case 'sign':
        this.#sign(actor, effect.record, effect.to);
        break;
      case 'send':
        if (effect.content.kind !== 'status') this.#say(index, `again ${this.#describe(effect.content)}`);
        this.#post(actor, effect.to, effect.content, effect.attempt);
        break;
      case 'send-decided':
        this.#say(index, `helps ${nameOf(effect.to)} with ${effect.count} from height ${effect.from}`);
        for (const one of actor.chain.slice(effect.from - 1, effect.from - 1 + effect.count))
          this.#post(actor, [effect.to], { kind: 'decided', ...one }, 0);
        break;
      case 'set-timer':
        if (effect.timer === 'round') this.#say(index, `times round ${effect.round} with ${effect.ms} ms`);
        break;
      case 'build':
        this.#build(actor, effect.height, effect.round);
        break;
      case 'check':
        this.#input(index, { type: 'checked', check: effect.check, verdict: 'valid' });
        break;
      case 'decide':
        this.#decide(actor, effect.block, effect.certificate);
        break;
      case 'evidence':
        this.#say(
          index,
          `has evidence against ${nameOf(effect.first.signer)}: two of ${effect.first.type} ${effect.first.round}`,
        );
        break;
      case 'round':
        if (effect.round > 0) this.#say(index, `sees ${nameOf(effect.leader)} lead round ${effect.round}`);
        break;
      case 'sync':
      case 'audit':
      case 'violation':
        this.#say(index, effect.type);
        break;
      case 'clear-timer':
        break;
    }
  }

  #sign(actor: Actor, unsigned: LogRecord, to: readonly Uint8Array[]): void {
    const record = signRecord(unsigned);
    actor.log.push(record);
    this.#say(actor.index, this.#describe(record.message));
    this.#post(actor, to, record.message, 0);
    this.#input(actor.index, { type: 'signed', record });
  }

  #build(actor: Actor, height: number, round: number): void {
    const tip = actor.tips.at(-1) ?? genesisTip(1);
    this.#salt += 1;
    const block = blockOn(tip, actor.index, this.#salt);
    const digest = digestOf(block);
    this.#names.set(toHex(digest), String.fromCharCode(64 + this.#salt));
    this.#say(actor.index, `builds ${this.#name(digest)}`);
    this.#input(actor.index, { type: 'built', height, round, block, digest });
  }

  #decide(actor: Actor, block: Block, certificate: Certificate): void {
    const signers = certificate.seals.map(({ validator }) => validator).join(' ');
    this.#say(
      actor.index,
      `DECIDES ${this.#name(certificate.digest)} at height ${certificate.height} in round ${certificate.round} by ${signers}`,
    );
    const tip = tipAfter(actor.tips.at(-1) ?? genesisTip(1), block);
    actor.chain.push({ block, certificate });
    actor.tips.push(tip);
    this.#input(actor.index, { type: 'work', pooled: false, leaderDown: false });
    this.#input(actor.index, { type: 'committed', tip });
  }

  #post(actor: Actor, to: readonly Uint8Array[], content: ConsensusMessage, attempt: number): void {
    for (const key of to) {
      const target = this.#actors.findIndex(({ index }) => sameBytes(keyOf(index), key));
      if (target >= 0) this.#letters.push({ from: actor.index, to: target, content, attempt });
    }
  }

  #describe(content: ConsensusMessage): string {
    if (content.kind === 'round-change') {
      const { prepared, vote } = content;
      return `ROUND-CHANGE ${vote.round}${prepared === undefined ? '' : ` with ${this.#name(prepared.digest)} of round ${prepared.round}`}`;
    }
    if (content.kind === 'want') return `WANT ${this.#name(content.digest)}`;
    return 'vote' in content
      ? `${content.kind.toUpperCase()} ${content.vote.round} ${this.#name(content.vote.digest)}`
      : content.kind.toUpperCase();
  }

  #name(digest: Uint8Array): string {
    return this.#names.get(toHex(digest)) ?? toHex(digest).slice(0, 6);
  }

  #say(index: number, what: string): void {
    this.#trace.push(`${index}: ${what}`);
  }
}
