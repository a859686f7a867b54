/** A job: `{"id": ...}`. */
export const JOB = 'application/vnd.choline.job+json';
/** What ranks have said: `{"job": ..., "ranks": {"1": ...}}`. */
export const RANKS = 'application/vnd.choline.ranks+json';
