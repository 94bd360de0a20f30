import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const inside = {
  regex: '^@it-chain/[^/]+/(?!package.json$|exit-code$|signing$)',
  message: 'Import a package by its name, or by what it exports beside it, not by a file inside it.',
};
const outside = {
  regex: '^(\\.\\./)+(packages/|kernel/|contracts/|cli/|client/|testkit/|amqp-server/|bus-amqp/|plugin-)',
  message: 'Import a sibling package by its name.',
};
const anySibling = { regex: '^@it-chain/', message: 'This package stands on the ground floor: it imports no sibling.' };
const plugins = { regex: '^@it-chain/plugin-', message: 'Plugins meet only through contracts.' };
const kernel = {
  regex: '^@it-chain/(kernel|cli|testkit|client)$',
  message: 'A plugin sees contracts, never the kernel.',
};

/** Static imports, and the same for `import()`. */
const forbid = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns }],
  'no-restricted-syntax': [
    'error',
    ...patterns.map(({ regex, message }) => ({
      selector: `ImportExpression[source.value=/${regex.replaceAll('/', '\\/')}/]`,
      message,
    })),
  ],
});

const impure = ['Date', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'performance'];

export default defineConfig(
  {
    ignores: [
      '**/dist/**',
      '**/dist-test/**',
      'coverage/**',
      'docs/api/**',
      'test/dist/**',
      '**/bench/**',
      '**/clients/**',
      '**/fixtures/**',
      'data/**',
    ],
  },
  {
    files: ['{packages,examples}/*/{src,test}/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['warn', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['warn', { max: 60, skipBlankLines: true, skipComments: true }],
      complexity: ['warn', 20],
      'no-console': 'error',
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z][a-z]', match: false } },
      ],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-redeclare': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': 'off',
      ...forbid(inside, outside),
    },
  },
  { files: ['packages/contracts/src/**', 'packages/amqp-server/src/**'], rules: forbid(inside, outside, anySibling) },
  {
    files: ['packages/kernel/src/**', 'packages/testkit/src/**', 'packages/client/src/**'],
    rules: forbid(inside, outside, plugins),
  },
  { files: ['packages/plugin-*/src/**', 'packages/bus-amqp/src/**'], rules: forbid(inside, outside, plugins, kernel) },
  { files: ['examples/*/src/**'], rules: forbid(inside, outside, plugins, kernel) },
  {
    files: ['packages/plugin-{chain,txpool,p2p,kv,consensus,memory,solo,raft}/src/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...impure.map((name) => ({ name, message: 'Ask the context: its clock works in the simulator too.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Ask context.random.' },
        { property: 'randomBytes', message: 'Ask context.random.' },
      ],
    },
  },
  {
    files: ['packages/plugin-{consensus,raft}/src/machine/**'],
    rules: {
      'no-restricted-globals': ['error', ...impure, 'process', 'console', 'crypto', 'fetch'],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\./|\\.\\./machine/|@it-chain/contracts$)',
              message: 'The machine imports contracts and its own files only.',
            },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: ':function[async=true]', message: 'The machine is synchronous.' },
        { selector: 'AwaitExpression, ImportExpression', message: 'The machine is synchronous.' },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  { files: ['packages/cli/src/**'], rules: { 'no-console': 'off' } },
  {
    files: ['{packages,examples}/*/test/**', 'test/**', 'packages/testkit/src/suites/**'],
    rules: {
      'max-lines-per-function': 'off',
      'max-lines': 'off',
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
