"""What runs on the machine where cells run: supervisor, journal, fork server, ranks.

Started by a transport (`python -m choline_jupyter.agent connect`); imports only `wire`, `store` and `model`, so no
credential or provider code can reach a stranger's machine. Everything outside `agent.kernel` needs no more than
Python 3.9 and its standard library; `agent.kernel` runs in the session's environment and uses its ipykernel.
Promise: a job never waits for a client, and what it puts out is on this machine's disk before anyone is told.
"""
