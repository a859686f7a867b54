import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

const SCHEMA = 'https://schema.choline.dev/jupyter/changed/v1';

/** A server that answers what a test says, and remembers what it was asked. */
export class Server {
  constructor(public answers: { [path: string]: unknown }) {}

  asked: string[] = [];
  stream = new Signal<any, any>({});

  settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/base/',
    fetch: (async (request: Request) => {
      const path = request.url.split('/choline/api/')[1].replace(/[?&]\d+$/, '');
      this.asked.push(`${request.method} ${path}`);
      const answer = this.answers[path];
      return answer
        ? new Response(JSON.stringify(answer))
        : new Response(JSON.stringify({ message: `no ${path}` }), { status: 503 });
    }) as any
  });

  tell(jobs: string[], sessions = false, money = false): void {
    this.stream.emit({ schema_id: SCHEMA, jobs, sessions, money });
  }
}

export function settle(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 20));
}
