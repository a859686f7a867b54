"""Content-addressed blobs and manifests, and their safe materialising, on both ends of the wire.

Standard library only, Python 3.9 syntax. Promise: a file is the old or the new version, never half.
"""
