import type { Message } from '../schema/index.js';

/** What travels with a call besides its request: the same shape for the caller and the handler, so it can be handed on. */
export interface Call {
  /** What is left of the deadline, in ms. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Idempotency key of the call. */
  readonly messageId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** A call of a role: `query` changes nothing and may be asked again, `command` changes something and answers with the outcome. */
export interface CallDefinition<I, O> {
  readonly kind: 'query' | 'command';
  /** `<domain>.<verb>`, in the field's words. */
  readonly name: string;
  readonly doc: string;
  readonly in: Message<I>;
  readonly out: Message<O>;
  /** Deadline when the caller gives none, in ms. */
  readonly timeoutMs: number;
  /** True: a provider may leave it out; its caller then gets ERR_ROLE_UNKNOWN_CALL. */
  readonly optional?: boolean;
}

/** Something that is told to whoever listens: an `event` (a hint; storage is the truth) or a `transient` (bounded, oldest dropped). */
export interface NoticeDefinition<B> {
  readonly kind: 'event' | 'transient';
  readonly name: string;
  readonly doc: string;
  readonly body: Message<B>;
  /** The major version of the role, in the address. */
  readonly major: number;
  /** Transient only: messages a listener keeps before the oldest is dropped. */
  readonly maxQueued: number;
}

interface CallInput<I, O> {
  readonly name: string;
  readonly doc: string;
  readonly in: Message<I>;
  readonly out: Message<O>;
  readonly timeoutMs?: number;
}

/** Declares a call that changes nothing. */
export const query = <I, O>(input: CallInput<I, O>): CallDefinition<I, O> => ({
  timeoutMs: 5_000,
  ...input,
  kind: 'query',
});
/** Marks a call that a provider may leave out. */
export const optionalCall = <I, O>(call: CallDefinition<I, O>): CallDefinition<I, O> & { readonly optional: true } => ({
  ...call,
  optional: true,
});
/** Declares a call that changes something. */
export const command = <I, O>(input: CallInput<I, O>): CallDefinition<I, O> => ({
  timeoutMs: 10_000,
  ...input,
  kind: 'command',
});

interface NoticeInput<B> {
  readonly name: string;
  readonly doc: string;
  readonly body: Message<B>;
  readonly maxQueued?: number;
}
/** Declares an event. */
export const event = <B>(input: NoticeInput<B>): NoticeDefinition<B> => ({
  maxQueued: 0,
  major: 1,
  ...input,
  kind: 'event',
});
/** Declares a transient message. */
export const transient = <B>(input: NoticeInput<B>): NoticeDefinition<B> => ({
  maxQueued: 1_000,
  major: 1,
  ...input,
  kind: 'transient',
});

/** A call of any role, its messages not known. */
// The variance of calls makes `unknown` useless as a bound here: a call of Message<X> is not a call of Message<unknown>.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyCall = CallDefinition<any, any>;
/** An event or transient message of any role, its body not known. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyNotice = NoticeDefinition<any>;

/** A role: what one plugin promises to the others, and the messages that carry it. */
export interface Role<
  C extends Record<string, AnyCall> = Record<string, AnyCall>,
  E extends Record<string, AnyNotice> = Record<string, AnyNotice>,
> {
  readonly name: string;
  readonly major: number;
  readonly doc: string;
  /** Numbered sentences; the titles of the compliance suite. */
  readonly promises: readonly string[];
  readonly calls: C;
  readonly events: E;
}

/** The interface that a provider of the role implements and that its users get as a proxy. */
export type Served<R extends Role> = {
  [K in keyof R['calls'] as IsOptional<R['calls'][K]> extends true ? never : K]: Method<R['calls'][K]>;
} & {
  [K in keyof R['calls'] as IsOptional<R['calls'][K]> extends true ? K : never]?: Method<R['calls'][K]>;
};

/** What a call of a served role is asked with: `RequestOf<Storage, 'read'>`. */
export type RequestOf<R, C extends keyof R> =
  NonNullable<R[C]> extends (request: infer I, call?: Call) => unknown ? I : never;
/** What it answers: `AnswerOf<Storage, 'read'>`. */
export type AnswerOf<R, C extends keyof R> =
  NonNullable<R[C]> extends (...given: never) => Promise<infer O> ? O : never;

type IsOptional<C> = C extends { readonly optional: true } ? true : false;
type Method<C> = C extends CallDefinition<infer I, infer O> ? (request: I, call?: Call) => Promise<O> : never;

/** Defines a role. */
export function defineRole<const C extends Record<string, AnyCall>, const E extends Record<string, AnyNotice>>(
  name: string,
  major: number,
  definition: { readonly doc: string; readonly promises: readonly string[]; readonly calls: C; readonly events: E },
): Role<C, E> {
  const events = Object.fromEntries(
    Object.entries(definition.events).map(([key, notice]) => [key, { ...notice, major }]),
  ) as E;
  return { name, major, ...definition, events };
}

/** The bus name of a role: `txpool.v1`. */
export const roleAddress = (role: Role): string => `${role.name}.v${role.major}`;
/** The bus address of a call: `transaction.submit.v1`. */
export const callAddress = (role: Role, call: AnyCall): string => `${call.name}.v${role.major}`;
/** The bus address of an event or transient message: `block.committed.v1`. */
export const noticeAddress = (notice: AnyNotice): string => `${notice.name}.v${notice.major}`;
