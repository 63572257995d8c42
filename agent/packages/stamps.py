"""Telling whether a file is still the one that was hashed, without reading it again."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO


def stamp_of(status: os.stat_result) -> str:
    """Device, inode, size and time of writing: differs when a package in a folder was replaced."""
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def seal_of(status: os.stat_result) -> str:
    """A stamp that holds the time of change too, which no program can set back.

    A new name for the file breaks the seal as well: a broken seal asks for a new hash, no more.
    """
    return f"{stamp_of(status)}:{status.st_ctime_ns}"


def hash_stream(file: BinaryIO) -> str:
    """SHA-256 of the rest of the file, in lower-case hex."""
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()
