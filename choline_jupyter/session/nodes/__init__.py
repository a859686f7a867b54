"""A script on several machines: who takes part, where they meet, what becomes of one that is lost.

Used by `cli.nodes`. Each machine is a session with one job; the controller here decides for each attempt anew which machines
take part, numbers their ranks and tells them where to meet. Nothing of that is on a machine that can be lost.
"""
