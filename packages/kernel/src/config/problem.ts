import { ItChainError, type ErrorCode } from '@it-chain/contracts';

/** One thing that is wrong with the config or with a plugin that it names. */
export interface Problem {
  readonly code: ErrorCode;
  /** One sentence without the place. */
  readonly message: string;
  /** Where in the config: `plugins[2].with.maxPending`. Empty for the whole file. */
  readonly path: string;
  /** The file, the variable (`IT_CHAIN_NODE__NAME`) or the flag (`--name`) that the value came from. */
  readonly source?: string | undefined;
  /** Line and column in the file, from 1, where they are known. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** What is thrown for one or more problems. `problems` has all of them; compare `code`, never the class. */
export class ConfigError extends ItChainError {
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, problems: readonly Problem[]) {
    const [first] = problems;
    super(code, message, {
      hint: problems.length > 1 ? 'Each line says what to do about it.' : first?.hint,
      cause: problems.length === 1 ? first?.cause : undefined,
      data: { problems: problems.length, ...(first?.path ? { path: first.path } : {}) },
    });
    this.problems = problems;
  }
}

/** One error for all `problems`: the code they share, or ERR_CONFIG_INVALID where they differ. */
export function configError(problems: readonly Problem[]): ConfigError {
  const codes = new Set(problems.map((problem) => problem.code));
  const [only] = codes;
  const code = codes.size === 1 && only !== undefined ? only : 'ERR_CONFIG_INVALID';
  const lines = problems.map(describeProblem);
  const message =
    lines.length === 1
      ? (lines[0] ?? '')
      : `${String(lines.length)} problems:\n${lines.map((l) => `  ${l}`).join('\n')}`;
  return new ConfigError(code, message, problems);
}

/** A problem as one line: place, path, what is wrong, what was expected and found, what to do. */
export function describeProblem(problem: Problem): string {
  const position = problem.line === undefined ? '' : `:${String(problem.line)}:${String(problem.column ?? 1)}`;
  const place = [problem.source === undefined ? '' : `${problem.source}${position}`, problem.path].filter(Boolean);
  const facts = [
    problem.expected === undefined ? '' : `expected ${problem.expected}`,
    problem.got === undefined ? '' : `got ${problem.got}`,
  ].filter(Boolean);
  const detail = facts.length === 0 ? '' : ` (${facts.join(', ')})`;
  const hint = problem.hint === undefined ? '' : `; ${problem.hint}`;
  return `${place.join(' ')}${place.length > 0 ? ': ' : ''}${problem.message}${detail}${hint}`;
}

/** A path of keys and indices as it is read in a config: `plugins[2].with.maxPending`. */
export function printPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${String(part)}]`;
      const key = String(part);
      const plain = /^[\w$-]+$/.test(key) ? key : JSON.stringify(key);
      return index === 0 ? plain : `.${plain}`;
    })
    .join('');
}
