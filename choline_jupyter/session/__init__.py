"""The conductor: finds or makes a session, runs jobs in it, follows them, ends it. Owns all time-outs and retries.

Called by `magic`, `cli`, `server` and the keeper, which show what comes back; calls everything below. Promise: the
job never waits for this side, and whatever is cut here is taken up again where it was.
"""
