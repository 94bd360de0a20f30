/**
 * What a terminal obeys instead of showing it: control characters, and the marks that turn the direction of text. They come
 * in names, reasons and messages that others have chosen.
 */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** The same, and the styles that the printer itself sets: bold, dim, colours of letters, and their ends. */
const OBEYED_OR_STYLE = new RegExp(`\u001b\\[(?:0|1|2|22|3[1-79]|9[0-7])m|${OBEYED.source}`, 'g');

/** The text with all of that written out, as `\u001b`. */
export const harmless = (text: string): string => text.replaceAll(OBEYED, escape);

/** The same for text with the styles of the printer in it. */
export const harmlessStyled = (text: string): string =>
  text.replaceAll(OBEYED_OR_STYLE, (found) => (found.length > 1 ? found : escape(found)));

/** On one line, for a cell of a table: a line of its own could look like another row. */
export const oneLine = (text: string): string => text.replaceAll(/[\t\n\r]/g, escape);

const escape = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
