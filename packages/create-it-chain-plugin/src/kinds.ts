/** What a kind of plugin is, for whoever has to choose. */
export interface Kind {
  readonly name: string;
  /** One line of the list of kinds. */
  readonly what: string;
  /** What the example does, for the README and the manifest of the package. */
  readonly description: string;
  /** How its entry in a config is to be read. */
  readonly place: string;
  /** What its example leaves to its author; nothing where it may be used as it is. */
  readonly limits?: string;
}

/** The kinds that can be made; each has a folder under `templates/`. */
export const KINDS: readonly Kind[] = [
  {
    name: 'application',
    what: 'the state machine that transactions change',
    description: 'Counts: a transaction is the name of a counter and adds one to it.',
    place: 'in place of the application that is there (`@it-chain/plugin-kv`), on every node of the network',
    limits: 'Its whole state is in memory, and read from the store at the start: for states of that size.',
  },
  {
    name: 'storage',
    what: 'where a node keeps everything',
    description: 'Keeps everything in memory, and on disk in a journal whose every line has a checksum.',
    place: 'in place of the storage that is there (`@it-chain/plugin-leveldb`)',
    limits:
      'The journal only grows and is read whole at the start: for development and small chains, until it is compacted.',
  },
  {
    name: 'consensus',
    what: 'how validators agree on the next block',
    description: 'Decides alone: whatever waits becomes a block with the one signature of this node.',
    place: 'in place of the consensus that is there (`@it-chain/plugin-consensus`)',
    limits:
      'It is for networks of one validator and refuses others: agreement among several is what you put in its place.',
  },
  {
    name: 'txpool',
    what: 'what waits for a block, and who goes first',
    description: 'Holds transactions as every pool does, and lets those go first that are about to expire.',
    place: 'in place of the pool that is there (`@it-chain/plugin-txpool`)',
    limits:
      'Whoever signs for a near expiry goes first: share the block between the urgent and the others before strangers can send to it.',
  },
  {
    name: 'observer',
    what: 'listens to what happens and does something with it',
    description: 'Keeps a file with one line of JSON per block, without a gap.',
    place: 'beside the plugins that are there',
  },
  {
    name: 'api',
    what: 'serves something to the outside',
    description: 'Answers GET /tip and GET /blocks/HEIGHT over HTTP, on this machine.',
    place: 'beside the plugins that are there',
  },
  {
    name: 'admission',
    what: 'decides who may become a member',
    description: 'Votes for the nodes on a list, in a network whose members are admitted by vote.',
    place: 'beside the plugins that are there, on validators',
  },
];

/** The kind of a name, if there is one. */
export const kindOf = (name: string): Kind | undefined => KINDS.find((kind) => kind.name === name);
