import type { ErrorEntry } from './entry.js';

/** Codes of the area: plugin. Each message names the plugin and, where there is one, the phase of its life. */
export const pluginErrors = {
  ERR_PLUGIN_NOT_FOUND: {
    when: 'A plugin named in the config is not installed or not at its path.',
    fix: 'Install it beside the config file, or correct its name.',
  },
  ERR_PLUGIN_IMPORT: {
    when: 'The module of a plugin threw while it was imported, or did not settle within the limit.',
    fix: 'Read the cause in the message; import the module on its own to see more.',
  },
  ERR_PLUGIN_INVALID: {
    when: 'The default export of a module is not a plugin, or a part of its manifest is missing or malformed.',
    fix: 'Export the result of definePlugin({...}) as default.',
  },
  ERR_PLUGIN_API_VERSION: {
    when: 'A plugin was built for another major version of the plugin API.',
    fix: 'Install a version of the plugin that fits this node.',
  },
  ERR_PLUGIN_COPIES: {
    when: 'A plugin would import another copy of contracts or of the kernel than the node runs on (it-chain plugin doctor).',
    fix: 'Make it a peerDependency of the plugin, remove the second copy, and install again.',
  },
  ERR_PLUGIN_DUPLICATE: {
    when: 'The config lists one plugin twice, or two plugins have one name.',
    fix: 'Remove one of the entries.',
  },
  ERR_PLUGIN_ROLE_TAKEN: {
    when: 'Two plugins of the config play one role, or a plugin plays a role that belongs to the kernel.',
    fix: 'Keep one plugin for each role.',
  },
  ERR_PLUGIN_ROLE_MISSING: {
    when: 'A plugin requires a role that no plugin of the config provides in this version.',
    fix: 'Add a plugin that provides the role.',
  },
  ERR_PLUGIN_ROLE_UNKNOWN: {
    when: 'An entry says `role:`, or --only names a role, that is not provided.',
    fix: 'Use one of the roles that the message lists.',
  },
  ERR_PLUGIN_ROLE_AMBIGUOUS: {
    when: 'A plugin can play several roles and its entry does not say which.',
    fix: 'Add `role:` to the entry.',
  },
  ERR_PLUGIN_CYCLE: {
    when: 'Plugins require each other in a circle, so none can start first.',
    fix: 'Turn one `requires` of the circle into `uses`.',
  },
  ERR_PLUGIN_FAILED: {
    when: 'A plugin threw in setup, start, accept or stop; the message carries the cause.',
    fix: 'Read the cause; it is usually a setting of the plugin or something that it needs from the machine.',
  },
  ERR_PLUGIN_TIMEOUT: {
    when: 'A phase of a plugin did not finish within its limit.',
    fix: 'Look at what the plugin waits for; the limits are in the section `timeouts`.',
  },
  ERR_PLUGIN_SHAPE: {
    when: 'A plugin gave back something else than it should: setup something else than nothing or { start, stop }, or a call something else than its answer.',
    fix: 'Return functions named start and stop, or nothing; answer a call with the message that its role names. The plugin and the call are in the message.',
  },
  ERR_PLUGIN_ROLE_UNDECLARED: {
    when: 'A plugin serves or uses a role that its manifest does not name, or listens outside setup.',
    fix: 'Name the role in provides, requires or uses, and call the context in setup.',
  },
  ERR_PLUGIN_SERVED_TWICE: {
    when: 'A plugin serves one role twice.',
    fix: 'Call context.serve once for each role.',
  },
  ERR_PLUGIN_NOT_SERVED: {
    when: 'A plugin does not serve the role it plays, or its provider lacks a call of the role.',
    fix: 'Call context.serve in setup with an object that has every call of the role.',
  },
  ERR_PLUGIN_TWO_BUSES: {
    when: 'Two plugins bring a bus.',
    fix: 'Keep one of them.',
  },
  ERR_NODE_EXITED: {
    when: 'A plugin, or a library that it uses, called process.exit while the node was running.',
    fix: 'Mend or remove the plugin at the place in the message: what ends a node on purpose is context.fatal. Everything durable survives it; start the node again.',
  },
  ERR_NODE_UNCAUGHT: {
    when: 'Something threw in a timer or an event handler, and nobody caught it: the state of the process is unknown, so it ends. In a node that may be a plugin.',
    fix: 'Look at the place in the message; --verbose shows the stack. Everything durable survives it; start the node again.',
  },
  ERR_NODE_NO_BUS: {
    when: 'No plugin brings a bus, and the config gives no bus.url.',
    fix: 'Add a plugin that brings one (the gateway), or set bus.url.',
  },
  ERR_NODE_ABORTED: {
    when: 'The node was told to stop while it was starting.',
    fix: 'Nothing: everything that had started was stopped.',
  },
  ERR_NODE_DATA_DIR: {
    when: 'The data directory cannot be made or used. Exit code 12.',
    fix: 'Check node.dataDir, its owner and its permissions.',
  },
  ERR_PLUGIN_VERIFIER_FULL: {
    when: 'More signatures wait to be verified than the queue holds.',
    fix: 'Wait and send again; if it lasts, this node gets more signatures than one core verifies.',
  },
} satisfies Record<string, ErrorEntry>;
