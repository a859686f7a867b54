"""Store: trees of files as data, on both sides: what is where, with which content, and how it is put in place.

Called by `session` here and by the agent over there. Promise: a file is its old or its new version, never half of one;
nothing is written outside the folder that was given, whatever a path or a link says.
"""
