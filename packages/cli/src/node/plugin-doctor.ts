import type { InspectedPlugin, InstalledPackage, PluginInspection } from '@it-chain/kernel';

/** Something that is wrong, or may be, and how to mend it. */
export interface Finding {
  readonly level: 'error' | 'warning';
  readonly code: string;
  /** Where in the config, or the plugin. */
  readonly place: string;
  readonly message: string;
  readonly fix: string;
}

/** Everything that is wrong with the plugins of a config, errors first. Pure. */
export function diagnose(inspection: PluginInspection): readonly Finding[] {
  const problems = inspection.problems.map(({ code, path, message, hint }): Finding => ({
    level: 'error',
    code,
    place: path,
    message,
    fix: hint ?? 'see docs/errors.md',
  }));
  const told = new Set(problems.map(({ place }) => place.split('.')[0]));
  const copies = inspection.plugins.flatMap((plugin) => copiesOf(plugin, inspection));
  const ranges = inspection.plugins.filter(({ at }) => !told.has(at)).flatMap((plugin) => rangeOf(plugin, inspection));
  const all = [...problems, ...copies, ...ranges, ...unplayedOf(inspection)];
  return [...all.filter(({ level }) => level === 'error'), ...all.filter(({ level }) => level === 'warning')];
}

/** Another copy of contracts works as long as it is of the same major; another kernel in a plugin never does anything. */
function copiesOf(plugin: InspectedPlugin, { own }: PluginInspection): Finding[] {
  return (['contracts', 'kernel'] as const).flatMap((part): Finding[] => {
    const [seen, ours] = [plugin[part], own[part]];
    if (seen === undefined || ours === undefined || seen.folder === ours.folder) return [];
    const clash = part === 'kernel' || majorOf(seen.version) !== majorOf(ours.version);
    return [
      {
        level: clash ? 'error' : 'warning',
        code: 'ERR_PLUGIN_COPIES',
        place: plugin.at,
        message: `${labelOf(plugin)} would import ${shown(seen)}, the node runs on ${shown(ours)}`,
        fix: `make ${seen.name} a peerDependency of ${plugin.package?.name ?? plugin.use}, then: npm uninstall it there, npm install, npm dedupe`,
      },
    ];
  });
}

/** What the package says it was built for. */
function rangeOf(plugin: InspectedPlugin, { own }: PluginInspection): Finding[] {
  const { package: installed } = plugin;
  const range = installed?.peerDependencies['@it-chain/contracts'];
  if (installed === undefined || range === undefined || own.contracts === undefined) return [];
  const majors = [...range.matchAll(/(?:^|\|\|)\s*(?:[~^=v]|>=)?\s*(\d+)/g)].map(([, major]) => major);
  const open = /^\s*(?:\*|>=)/.test(range);
  if (majors.length === 0 || majors.includes(majorOf(own.contracts.version)) || open) return [];
  return [
    {
      level: 'error',
      code: 'ERR_PLUGIN_API_VERSION',
      place: plugin.at,
      message: `${installed.name}@${installed.version} is for @it-chain/contracts ${range}, the node runs on ${own.contracts.version}`,
      fix: `install a version of ${installed.name} for contracts ${majorOf(own.contracts.version)}: npm view ${installed.name} versions`,
    },
  ];
}

function unplayedOf({ unplayed, problems }: PluginInspection): Finding[] {
  // Where an entry cannot be loaded, its role is missing for that reason.
  if (problems.some(({ code }) => code !== 'ERR_CONFIG_INVALID')) return [];
  return unplayed.map((role) => ({
    level: 'warning',
    code: 'ERR_PLUGIN_ROLE_MISSING',
    place: 'plugins',
    message: `no plugin plays the role ${role}; what needs it will wait or fail`,
    fix: `it-chain plugin add PACKAGE, with a plugin that provides ${role}`,
  }));
}

const labelOf = ({ name, use }: InspectedPlugin): string => `the plugin ${name ?? use}`;
const shown = ({ name, version, folder }: InstalledPackage): string => `${name}@${version} in ${folder}`;
const majorOf = (version: string): string => version.split('.')[0] ?? '';
