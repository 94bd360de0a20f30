const rule = (name, from, to) => ({ name, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule('no-cycles', { path: '^packages/[^/]+/src' }, { circular: true }),
    rule(
      'contracts-import-no-sibling',
      { path: '^packages/(contracts|amqp-server)/src' },
      { path: '^packages/(?!$1/)', pathNot: '^packages/(contracts|amqp-server)/' },
    ),
    rule(
      'plugins-never-meet',
      { path: '^packages/(plugin-[^/]+)/src' },
      { path: '^packages/plugin-', pathNot: '^packages/$1/' },
    ),
    rule(
      'plugins-see-only-contracts',
      { path: '^packages/plugin-[^/]+/src' },
      { path: '^packages/(kernel|cli|testkit|client)/' },
    ),
    rule('kernel-knows-no-plugin', { path: '^packages/(kernel|testkit|client)/src' }, { path: '^packages/plugin-' }),
    rule(
      'no-undeclared-packages',
      { path: '^packages/[^/]+/src' },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], pathNot: '^packages/|@types/' },
    ),
    rule('no-unresolvable', { path: '^packages/[^/]+/src' }, { couldNotResolve: true }),
  ],
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    tsConfig: { fileName: 'tsconfig.base.json' },
    includeOnly: '^packages/|^node_modules/',
    doNotFollow: { path: 'node_modules|/dist/|/dist-test/' },
    exclude: { path: '(^|/)(dist-test|bench|clients|fixtures)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
