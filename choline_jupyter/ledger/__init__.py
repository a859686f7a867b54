"""The local record: what we own (`ledger`) and what jobs printed (`event_store`), in SQLite files of this user's.

Called by `session`, the magics, the server extension and the command. Promises: the ledger is on the disk before the
act it describes; an event is called stored only when a crash of this process can no longer lose it; several processes
may use the same files at once; a file that cannot be used is explained in one sentence.
"""
