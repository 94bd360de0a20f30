import {
  SystemClock,
  checkConfig,
  configSchema,
  configSources,
  describeProblem,
  loadConfig,
  shownConfig,
} from '@it-chain/kernel';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { verb, type Cli, type CommonOptions } from '../cli.js';
import { configOptions } from '../node/defaults.js';
import { configIn } from '../node/find-node.js';

interface ConfigVerbOptions extends CommonOptions {
  readonly config?: string;
}

/** `it-chain config check|schema|show` */
export function configCommand(program: Command, cli: Cli): void {
  const config = program.command('config').description('the config of a node, without starting it');
  const clock = new SystemClock();
  const configVerb = (name: string, description: string): Command =>
    verb(config, name, description).option('--config <file>', 'the file (else it-chain.config.* in this folder)');

  configVerb('check', 'say everything that is wrong with it').action(async (options: ConfigVerbOptions) => {
    const problems = await checkConfig(configOptions(cli.io, options), clock);
    const printer = cli.printer(options);
    const rows = problems.map(({ code, message, path, source, line, column, hint }) => ({
      code,
      message,
      path,
      source,
      line,
      column,
      hint,
    }));
    if (problems.length > 0) cli.exitCode = 2;
    printer.result({ valid: problems.length === 0, problems: rows }, () =>
      problems.length === 0
        ? validText(options.config ?? configIn(cli.io.cwd))
        : problems.map((problem) => `${printer.color.red(problem.code)}  ${describeProblem(problem)}`).join('\n'),
    );
  });

  configVerb('schema', 'one JSON Schema for the whole file, for editors').action(async (options: ConfigVerbOptions) => {
    const schema = await configSchema(configOptions(cli.io, options), clock);
    cli.printer(options).result(schema, () => JSON.stringify(schema, null, 2));
  });

  configVerb('show', 'the config in force, with every default; secrets are masked')
    .option('--sources', 'where each value comes from')
    .action(async (options: ConfigVerbOptions & { sources?: boolean }) => {
      const loaded = await loadConfig(configOptions(cli.io, options), clock);
      const printer = cli.printer(options);
      if (options.sources === true) {
        const sources = configSources(loaded);
        printer.result(sources, () =>
          printer.table(
            ['setting', 'value', 'from'],
            sources.map(({ path, value, from }) => [path, value === undefined ? '' : JSON.stringify(value), from]),
          ),
        );
        return;
      }
      const shown = shownConfig(loaded);
      printer.result(shown, () => stringify(shown));
    });
}

const validText = (file: string | undefined): string =>
  file === undefined ? 'there is no config file here: a node starts with the defaults' : `${file} is valid`;
