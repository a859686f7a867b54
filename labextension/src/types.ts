/** How far a job is, read from the progress bar that it prints. */
export interface IProgress {
  done: number;
  total: number;
  /** Seconds left as the program itself says, null where it does not know. */
  left: number | null;
  /** As written, for example `3.2it/s`. */
  rate: string;
}

export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'lost' | 'cancelled';

/** A job as `GET state` and `GET jobs` describe it. Times are in seconds since the epoch. */
export interface IJob {
  id: string;
  session: string;
  name: string;
  attempt: number;
  state: JobState;
  code: string;
  /** Its notebook's path in the file browser; empty where the file browser cannot show it. */
  notebook: string;
  cell: string;
  created: number;
  started: number | null;
  ended: number | null;
  detached: boolean;
  ename: string;
  evalue: string;
  count: number | null;
  evicted: boolean;
  /** These three are there for open jobs, and for those that were asked for by their id. */
  tail?: string[];
  progress?: IProgress | null;
  losses?: number[];
  /** What each of its ranks takes of its machine. */
  ranks?: IRank[];
  /** Model FLOPs utilisation from 0 to 1, where its code tells it. */
  mfu?: number | null;
}

/** What one rank takes, as it was told last. Sizes are in bytes, `cpu` is 1 for one busy processor. */
export interface IRank {
  rank: number;
  seconds: number;
  process: { cpu?: number; memory?: number };
  /** null where there is no GPU; `busy` is from 0 to 1, `power` in watts. */
  gpu: { index?: number; busy?: number; memory?: number; total?: number; power?: number } | null;
  /** The most memory that it took. */
  peak: number;
  /** Its course: seconds, share busy and bytes, of the GPU or, without one, of the process. */
  points: [seconds: number, busy: number, bytes: number][];
}

/** A session as this machine's record has it. */
export interface ISession {
  id: string;
  /** The user's name for it, or the absolute path of the notebook that it belongs to. */
  name: string;
  /** That notebook's path in the file browser, if it can show it. */
  notebook: string;
  provider: string;
  machine: string;
  directory: string;
  epoch: number;
  state: string;
  created: number;
}

/** What goes on in a session, as its machine says. */
export interface ILife {
  id: string;
  life: 'running' | 'idle' | 'ended' | 'unhosted' | 'unreachable';
  running?: string | null;
  since?: number;
  /** Seconds that it may be idle, and has been. */
  lease?: number;
  quiet?: number;
  waiting?: number;
  /** Seconds until its rented machine ends as things stand; null where nothing would end it. */
  left?: number | null;
  /** When this was told, by this page's clock. */
  at?: number;
}

/** A session that is being started without a cell, or that came to nothing. */
export interface IStart {
  /** The id that the session will have. */
  id: string;
  name: string;
  notebook: string;
  /** Its machine, in few words. */
  what: string;
  since: number;
  stage: 'offers' | 'renting' | 'booting' | 'opening';
  /** What is done now. */
  text: string;
  /** Why it came to nothing; empty while it goes on. */
  problem: string;
}

/** `GET state`. */
export interface IState {
  sessions: ISession[];
  starts: IStart[];
  jobs: IJob[];
  more: boolean;
  notice: string;
  keeper: number;
}

/** `GET history`. */
export interface IHistory {
  jobs: IJob[];
  more: boolean;
}

/** One message of a job, as a kernel would have sent it. */
export interface IMessage {
  type: string;
  content: { [key: string]: any };
}

/** `GET jobs/ID/events`. */
export interface IPage {
  messages: IMessage[];
  after: string;
  more: boolean;
  job: IJob;
}

export function isOpen(job: IJob): boolean {
  return job.state === 'queued' || job.state === 'running';
}
