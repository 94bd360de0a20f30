import { message, type Infer } from '../schema/index.js';

/** A request or an answer without content. */
export const Nothing = message('Nothing', {});
export type Nothing = Infer<typeof Nothing>;
