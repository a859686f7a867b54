"""One rank: an ordinary ipykernel whose output goes into the journal and whose requests come from the supervisor.

Forked by `agent.kernel.forkserver`, in the session's environment; needs its ipykernel (6.29 or newer, or 7). Promise:
what a cell puts out is appended to the journal by the kernel's own IOPub thread, so no subscriber can be missing,
and a rank outlives the supervisor.
"""
