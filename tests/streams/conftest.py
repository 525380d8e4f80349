"""Rings for the tests; none outlives its test."""

import uuid
from pathlib import Path

import pytest

from rigctl.streams import RingReader, RingWriter, folders
from tests.streams import making


@pytest.fixture
def name():
    """The name of a ring in the real shared memory; it is gone after the test."""
    unique = f"test-{uuid.uuid4().hex}"
    yield unique
    left = list(folders.base_folder().glob(f"*{unique}*"))
    assert not left, f"rings outlived the test: {left}"


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    """A place of its own for rings, where sweeping meets nobody else's."""
    monkeypatch.setattr(folders, "base_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture(params=[True, False], ids=["mirrored", "doubled"])
def mirrored(request) -> bool:
    return request.param


@pytest.fixture
def ring(name, mirrored):
    """A writer and a reader of a ring of 512 frames that tell their index."""
    with RingWriter.create(name, making.info(), 512, mirrored=mirrored) as writer:
        with RingReader.attach(name) as reader:
            yield writer, reader


@pytest.fixture
def spawn(name):
    """Start writers of the ring of that name in other processes."""
    started = []

    def start(
        capacity: int = 512, mirrored: bool = True, locked: bool = False
    ) -> making.WriterProcess:
        base = folders.base_folder()
        started.append(making.WriterProcess(name, base, capacity, mirrored, locked))
        return started[-1]

    yield start
    for process in started:
        process.end()
    folders.remove(folders.folder_of(name))
