import type { ErrorEntry } from './entry.js';

/** Codes of the area: config. All of them end the process with exit code 2 before anything is opened or written. */
export const configErrors = {
  ERR_CONFIG_NOT_FOUND: { when: 'The config file named by --config does not exist.', fix: 'Check the path.' },
  ERR_CONFIG_AMBIGUOUS: {
    when: 'The current folder holds more than one config file.',
    fix: 'Keep one of them, or name the one that is meant with --config.',
  },
  ERR_CONFIG_FORMAT: {
    when: 'The config file is of a kind that is not read, is no regular file, or is larger than 1 MiB.',
    fix: 'Use a file that ends in yaml, yml, json, js, mjs, cjs or ts.',
  },
  ERR_CONFIG_ENCODING: {
    when: 'The config file is not UTF-8, or begins with a byte order mark.',
    fix: 'Save it as UTF-8 without a byte order mark.',
  },
  ERR_CONFIG_SYNTAX: {
    when: 'The config file is not valid YAML or JSON, or names one key twice; the message says where.',
    fix: 'Correct the line that the message names.',
  },
  ERR_CONFIG_LOAD: {
    when: 'A config file written in JavaScript or TypeScript threw, did not settle in time, or exports no object.',
    fix: 'Run the file on its own, and export the config as its default.',
  },
  ERR_CONFIG_INVALID: {
    when: 'Values of the config file, the environment or the command line do not fit the schema; every one of them is listed.',
    fix: 'Correct each path that the message lists; `it-chain config schema` prints what is allowed.',
  },
  ERR_CONFIG_BUS_IN_MEMORY: {
    when: 'A process is to run a part of a node (--only), or a plugin runs in a process of its own, and the config has bus.memory: no other process can reach that bus.',
    fix: 'Run the whole node in one process, without plugins elsewhere, or take bus.listen or bus.url instead.',
  },
} satisfies Record<string, ErrorEntry>;
