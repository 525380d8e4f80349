"""Names of files and folders, and `stream.json`."""

from pathlib import Path

import pytest

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.checked import encode_document
from tests.recording import making


@pytest.mark.parametrize("info", [making.signal(), making.images()])
def test_the_layout_of_samples_comes_back_exactly(tmp_path: Path, info: layout.StreamInfo) -> None:
    header = layout.stream_header(info, "amp", {"ring_s": 60})
    (tmp_path / layout.STREAM).write_bytes(encode_document(header))
    read = layout.read_stream_header(tmp_path)
    assert read.info == info
    assert read.facts == {"ring_s": 60}
    assert read.rate_hz == f"{info.rate_hz.numerator}/{info.rate_hz.denominator}"


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    header = layout.StreamHeader(
        version=2,
        name="amp",
        dtype="int16",
        shape=(1,),
        frame_bytes=2,
        rate_hz="1/1",
        data="data.bin",
    )
    (tmp_path / layout.STREAM).write_bytes(encode_document(header))
    with pytest.raises(RecordingError, match="rigctl stream 2 is not rigctl stream 1"):
        layout.read_stream_header(tmp_path)


def test_further_folders_of_a_stream_are_numbered(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        folder = layout.next_stream_folder(tmp_path, "amp")
        folder.mkdir()
        (folder / layout.STREAM).touch()
        names.append(folder.name)
    assert names == ["amp", "amp.2", "amp.3"]
    assert [folder.name for folder in layout.stream_folders(tmp_path)] == names


def test_only_folders_with_samples_or_their_description_are_streams(tmp_path: Path) -> None:
    for name in ("amp/data_0002.eeg", "derived/data.eeg", "notes/readme.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert [folder.name for folder in layout.stream_folders(tmp_path)] == ["amp"]


@pytest.mark.parametrize(
    "name",
    [
        *("", "..", ".hidden", "a/b", "derived", "a b", "x" * 101),
        *("amp.torn", "amp.torn-2", "amp.abandoned-1"),
    ],
)
def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="cannot be a stream's name"):
        layout.next_stream_folder(tmp_path, name)


def test_parts_are_numbered_from_the_second() -> None:
    assert layout.part_name("data.eeg", 1) == "data.eeg"
    assert layout.part_name("data.eeg", 2) == "data_0002.eeg"
    assert layout.is_data_file("amp/data_0002.eeg")
    assert not layout.is_data_file("amp/data.torn")
    names = ("data.eeg", "data_0002.bin", "data_12345.eeg", "data.torn", "data_2.eeg")
    assert list(map(layout.part_number, names)) == [1, 2, 12345, None, None]


def test_a_folder_that_was_moved_aside_is_no_stream(tmp_path: Path) -> None:
    for name in ("amp", "amp.torn", "amp.torn-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / layout.STREAM).touch()
    assert [folder.name for folder in layout.stream_folders(tmp_path)] == ["amp"]
