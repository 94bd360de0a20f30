import { definePlugin, type Plugin, type PluginContext, type Role, type Served } from '@it-chain/contracts';

/** What a wrong plugin does differently from the right one that it is made of. */
export interface Alterations {
  /** Changes what the plugin gets of the roles that it uses, by name. */
  readonly uses?: Readonly<Record<string, (right: never) => object>>;
  /** Changes what it serves. */
  readonly serves?: (right: never) => object;
  /** Events that it does not hear, by name. */
  readonly deafTo?: readonly string[];
  /** Changes what it hears, by the name of the event. */
  readonly hears?: Readonly<Record<string, (body: never) => unknown>>;
  /** Changes the rest of its context. */
  readonly context?: (right: PluginContext) => Partial<PluginContext>;
}

/** A right plugin with something wrong in it: made by changing what passes between it and its context. */
export function altered(
  plugin: Plugin,
  { uses = {}, serves, deafTo = [], hears = {}, context: change }: Alterations,
): Plugin {
  return definePlugin({
    ...plugin,
    setup: (context) => {
      const changed: PluginContext = {
        ...bound(context),
        ...change?.(bound(context)),
        use: <R extends Role>(role: R): Served<R> => {
          const right = context.use(role);
          const other = uses[role.name];
          return other === undefined ? right : ({ ...right, ...other(right as never) } as Served<R>);
        },
        serve: (role, provider) => {
          const methods = Object.keys(role.calls).map((name) => {
            const own = (provider as Record<string, (...input: unknown[]) => unknown>)[name]!;
            return [name, own.bind(provider)] as const;
          });
          const right = Object.fromEntries(methods);
          context.serve(role, { ...right, ...serves?.(right as never) } as typeof provider);
        },
        on: (notice, handler, options) => {
          if (deafTo.includes(notice.name)) return;
          const heard = (body: unknown): unknown => hears[notice.name]?.(body as never) ?? body;
          context.on(notice, (body, meta) => handler(heard(body) as typeof body, meta), options);
        },
      };
      return plugin.setup(changed as PluginContext<never>);
    },
  }) as unknown as Plugin;
}

/** The members of a context as plain properties, whatever class made it. */
function bound(context: PluginContext): PluginContext {
  const members = context as unknown as Record<string, unknown>;
  const names = ['dataDir', 'on', 'onAny', 'emit', 'provideBus', 'onAccept', 'random', 'sign', 'verify'];
  const methods = [...names, 'health', 'inspect', 'fatal', 'fill', 'failpoint'].map((name) => [
    name,
    (members[name] as (...input: unknown[]) => unknown).bind(context),
  ]);
  const { config, log, clock, metrics, identity, node, busConfig } = context;
  return { config, log, clock, metrics, identity, node, busConfig, ...Object.fromEntries(methods) } as PluginContext;
}
