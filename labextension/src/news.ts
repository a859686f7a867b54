import { Event } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

const SCHEMA = 'https://schema.choline.dev/jupyter/changed/v1';

/** What has changed: the ids of jobs, whether a session has, whether the ledger has. */
export interface INews {
  jobs: string[];
  sessions: boolean;
  money?: boolean;
}

/** The part of the server's event stream that is choline's. */
export class News {
  constructor(stream: Event.Stream) {
    stream.connect((_, emission) => {
      if (emission.schema_id === SCHEMA) {
        const { jobs, sessions, money } = emission as unknown as INews;
        this._arrived.emit({ jobs, sessions, money });
      }
    });
  }

  get arrived(): ISignal<this, INews> {
    return this._arrived;
  }

  private _arrived = new Signal<this, INews>(this);
}
