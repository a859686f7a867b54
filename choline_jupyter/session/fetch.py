"""Fetching: large files that a job has made come home on the bulk channel, while other cells go on.

Started by `session.live`; runs in the engine's loop. A transfer that was cut goes on where it was; what arrives is put in place
only if it is what was announced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from choline_jupyter.errors import CorruptBlob, DataError, HostError
from choline_jupyter.session.bulk import Bulk
from choline_jupyter.session.connection import Connection
from choline_jupyter.session.files import SessionFiles
from choline_jupyter.store.entry import Entry


async def fetch_files(connection: Connection, files: SessionFiles, entries: Sequence[Entry], job: str) -> None:
    """Bring each file and put it in place; what cannot be is among the notices."""
    bulk = Bulk(connection)
    for entry in entries:
        target = files.find_inbox(entry)
        try:
            await bulk.get_file({"session": files.session, "path": entry.path}, entry.digest, entry.size, target)
            await asyncio.get_running_loop().run_in_executor(None, files.put, entry, target, job)
        except CorruptBlob:
            files.notices.append(f"{entry.path} changed over there before it was home; it comes with the next cell")
        except (HostError, DataError, OSError) as error:
            files.notices.append(f"{entry.path} did not come home ({error}); `%choline pull {job}` tries again")
