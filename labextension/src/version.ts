declare function require(path: string): { version: string };

/** The version this bundle was built from. It may be older than the server's: a page keeps its bundle until reloaded. */
export const VERSION: string = require('../../package.json').version;
