"""Datasets that a job names by an address: this machine downloads them itself, once for all sessions of its user.

Called by `agent.datasets`, which runs `main` as a process of its own. Promise: what is kept under a digest has that digest;
a download that was cut goes on where it was; a secret goes only to the host that it is for.
"""
