import { ServerConnection } from '@jupyterlab/services';
import { request } from './request';

/** What `GET choline/api/version` answers. */
export interface IServerVersion {
  /** Version of the Python package that the Jupyter server runs. */
  version: string;
  /** Version of the server's Python. */
  python: string;
}

/** What the About dialog says: plain sentences, and a warning when something has to be done. */
export interface IAbout {
  lines: string[];
  warning: string | null;
}

/**
 * Ask the server for its version and compare it with this page's.
 *
 * Never rejects: a server that cannot answer is what the user opened the dialog to find out.
 */
export async function describe(
  pageVersion: string,
  settings: ServerConnection.ISettings
): Promise<IAbout> {
  const lines = [`This page: choline ${pageVersion}.`];
  try {
    const server = await request<IServerVersion>('version', settings);
    lines.push(`Server: choline ${server.version}, Python ${server.python}.`);
    return { lines, warning: compare(pageVersion, server.version) };
  } catch (error) {
    return { lines, warning: explain(error) };
  }
}

function compare(page: string, server: string): string | null {
  return page === server
    ? null
    : 'The versions differ. Restart the Jupyter server if you have just upgraded, then reload this page.';
}

function explain(error: unknown): string {
  if (error instanceof ServerConnection.ResponseError && error.response.status === 404) {
    return "The server has no choline extension. Run 'jupyter server extension list' where the server runs.";
  }
  const reason = error instanceof Error ? error.message : String(error);
  return `The server's choline extension did not answer (${reason}). See the Jupyter server's log.`;
}
