import type { Command } from 'commander';
import { verb, type Cli, type CommonOptions } from '../cli.js';
import { version } from '../node/defaults.js';
import { PLUGIN_API } from '@it-chain/contracts';

/** `it-chain version` */
export function versionCommand(program: Command, cli: Cli): void {
  verb(program, 'version', 'the versions of the software').action((options: CommonOptions) => {
    const printer = cli.printer(options);
    const versions = { version: version(), pluginApi: PLUGIN_API, api: 'itchain.v1', node: process.version };
    printer.result(
      versions,
      () => `it-chain ${versions.version} (plugin API ${versions.pluginApi}, ${versions.api}, Node ${versions.node})`,
    );
  });
}
