const base = require('@jupyterlab/testutils/lib/jest-config')(__dirname);

// Packages that ship ES modules only: jest has to translate them.
const esModules = [
  '@codemirror',
  '@jupyter/react-components',
  '@jupyter/web-components',
  '@jupyter/ydoc',
  '@jupyterlab/',
  '@microsoft',
  'exenv-es6',
  'lib0',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

module.exports = {
  ...base,
  automock: false,
  collectCoverage: false,
  reporters: ['default'],
  // Nothing else is crawled: the built extension and virtual environments hold package.json files of the same names.
  roots: ['<rootDir>/labextension/src'],
  testRegex: '.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!${esModules}).+`]
};
