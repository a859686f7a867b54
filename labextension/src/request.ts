import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/**
 * Call choline's REST API on the Jupyter server, with the page's own credentials.
 *
 * @param path - below `choline/api/`.
 * @returns the answer's JSON.
 * @throws ServerConnection.NetworkError when the server cannot be reached.
 * @throws ServerConnection.ResponseError when it refuses; its message is the server's.
 */
export async function request<T>(
  path: string,
  settings: ServerConnection.ISettings,
  init: RequestInit = {}
): Promise<T> {
  const url = URLExt.join(settings.baseUrl, 'choline', 'api', path);
  const response = await ServerConnection.makeRequest(url, init, settings);
  if (!response.ok) {
    throw await ServerConnection.ResponseError.create(response);
  }
  return response.json();
}

/** One sentence for the user on why a request failed. */
export function explain(error: unknown): string {
  if (error instanceof ServerConnection.NetworkError) {
    return 'The Jupyter server does not answer. What runs goes on; this page shows it again when the server is back.';
  }
  return error instanceof Error ? error.message : String(error);
}
