"""BrainVision texts: a real recording, round trips, what MNE-Python reads, what is refused."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import mne
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import Channel, Marker, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording import brainvision

REAL = Path(__file__).parent.parent / "data" / "test.vhdr"
INFO = StreamInfo(
    "int16",
    (3,),
    Fraction(500),
    (Channel("Fp1", "µV", 0.1), Channel("a,b", "µV", 0.5), Channel("GSR", "µS", 2.0)),
)
WHEN = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def write_triplet(folder: Path, info: StreamInfo, samples: np.ndarray, markers: list[Marker]):
    header = folder / "data.vhdr"
    header.write_bytes(brainvision.format_header(info, "data.eeg", "data.vmrk").encode())
    lines = [
        brainvision.format_marker(number, marker, WHEN if marker.type == "New Segment" else None)
        for number, marker in enumerate(markers, start=1)
    ]
    text = brainvision.format_marker_head("data.eeg") + "".join(lines)
    (folder / "data.vmrk").write_bytes(text.encode())
    (folder / "data.eeg").write_bytes(samples.astype(info.numpy_dtype).tobytes())
    return header


def read_with_mne(header: Path) -> mne.io.BaseRaw:
    return mne.io.read_raw_brainvision(header, preload=True, verbose="error")


def test_real_header_is_read():
    header = brainvision.read_header(REAL)
    info = header.info
    assert (header.data_file, header.marker_file) == ("test.eeg", "test.vmrk")
    assert (info.dtype, info.shape, info.rate_hz) == ("int16", (32,), Fraction(1000))
    assert info.channels[0] == Channel("FP1", "µV", 0.5)
    assert [info.channels[n].unit for n in (1, 2, 26, 27, 31)] == ["µV", "µV", "BS", "µS", "C"]
    assert info.is_signal


def test_real_markers_are_read():
    markers = brainvision.read_markers(REAL.with_suffix(".vmrk"))
    assert len(markers) == 14
    assert markers[0] == Marker(0, "New Segment", "", 1, -1)
    assert markers[1] == Marker(486, "Stimulus", "S253", 0, -1)
    assert markers[13] == Marker(7699, "Optic", "O  1", 1, -1)


def test_real_samples_agree_with_mne():
    header = brainvision.read_header(REAL)
    samples = brainvision.map_samples(REAL.with_name(header.data_file), header)
    assert samples.shape == (7900, 32)
    raw = read_with_mne(REAL)
    volts = raw.get_data(picks=["FP1"])[0]
    np.testing.assert_allclose(samples[:, 0] * 0.5e-6, volts, atol=1e-15)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_mne_reads_what_is_written(tmp_path, dtype):
    info = StreamInfo(dtype, INFO.shape, INFO.rate_hz, INFO.channels)
    samples = np.arange(300).reshape(100, 3) - 100
    markers = [Marker(0, "New Segment"), Marker(41, "Stimulus", "S  1")]
    raw = read_with_mne(write_triplet(tmp_path, info, samples, markers))
    assert raw.ch_names == ["Fp1", "a,b", "GSR"]
    assert raw.info["sfreq"] == 500
    assert raw.info["meas_date"] == WHEN
    np.testing.assert_allclose(raw.get_data()[0], samples[:, 0] * 0.1e-6, atol=1e-15)
    assert list(raw.annotations.description) == ["Stimulus/S  1"]
    np.testing.assert_allclose(raw.annotations.onset, [41 / 500])


def test_mne_reads_texts_with_line_ends_and_commas(tmp_path):
    info = StreamInfo("int16", (1,), Fraction(100), (Channel("x\r\nCh1=y", "µV"),))
    markers = [Marker(3, "Comment", "one,\ntwo\u2028three\x85"), Marker(5, "Stimulus", "S  2")]
    raw = read_with_mne(write_triplet(tmp_path, info, np.zeros((9, 1)), markers))
    assert raw.ch_names == ["x  Ch1=y"]
    assert list(raw.annotations.description) == ["Comment/one, two three ", "Stimulus/S  2"]


def test_header_comes_back(tmp_path):
    header = brainvision.read_header(write_triplet(tmp_path, INFO, np.zeros((0, 3)), []))
    assert header == brainvision.Header("data.eeg", "data.vmrk", INFO)


def test_vendor_line_ends_and_latin_1_are_read(tmp_path):
    text = brainvision.format_header(INFO, "$b.eeg", "").replace("Codepage=UTF-8\n", "")
    text = text.replace("[Channel Infos]", "[channel infos]").replace("\n", "\r\n")
    path = tmp_path / "s01.vhdr"
    path.write_bytes(text.encode("latin-1"))
    assert brainvision.read_header(path) == brainvision.Header("s01.eeg", None, INFO)


def test_comment_section_changes_nothing():
    text = brainvision.format_header(INFO, "data.eeg", "data.vmrk")
    comment = "\n[Comment]\nCh1=not,a,channel,line\nSamplingInterval=7\n"
    assert brainvision.parse_header(text + comment) == brainvision.parse_header(text)


def test_missing_names_units_and_resolutions_are_filled():
    text = brainvision.format_header(INFO, "d.eeg", "d.vmrk").replace("Ch2=a\\1b,,0.5,µV\n", "")
    text = text.replace("GSR,,2.0,µS", "GSR")
    channels = brainvision.parse_header(text).info.channels
    assert channels[1:] == (Channel("Ch2", "µV", 1.0), Channel("GSR", "µV", 1.0))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MULTIPLEXED", "VECTORIZED"),
        ("DataFormat=BINARY", "DataFormat=ASCII"),
        ("INT_16", "UINT_16"),
        ("INT_16", "INT_16\nUseBigEndianOrder=YES"),
    ],
)
def test_other_kinds_are_refused_with_what_is_supported(tmp_path, old, new):
    path = tmp_path / "odd.vhdr"
    path.write_text(brainvision.format_header(INFO, "d.eeg", "").replace(old, new), "utf-8")
    with pytest.raises(RecordingError, match=r"odd\.vhdr.*INT_16 or IEEE_FLOAT_32"):
        brainvision.read_header(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Brain Vision", "Something"),
        ("NumberOfChannels=3", "NumberOfChannels=0"),
        ("NumberOfChannels=3", "NumberOfChannels=many"),
        ("SamplingInterval=2000", "SamplingInterval=0"),
        ("SamplingInterval=2000", "SamplingInterval=nan"),
        ("SamplingInterval=2000", ""),
        ("DataFile=d.eeg", ""),
        (",0.1,", ",big,"),
    ],
)
def test_broken_header_is_refused(old, new):
    with pytest.raises(RecordingError):
        brainvision.parse_header(brainvision.format_header(INFO, "d.eeg", "").replace(old, new))


def test_header_of_images_is_refused():
    with pytest.raises(RecordingError, match="uint8"):
        brainvision.format_header(StreamInfo("uint8", (4, 4), Fraction(30)), "d.eeg", "d.vmrk")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"none\.vhdr"):
        brainvision.read_header(tmp_path / "none.vhdr")
    with pytest.raises(RecordingError, match=r"none\.vmrk"):
        brainvision.read_markers(tmp_path / "none.vmrk")
    with pytest.raises(RecordingError, match=r"none\.eeg"):
        brainvision.map_samples(tmp_path / "none.eeg", brainvision.Header("", None, INFO))


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Fraction(1000), "1000"),
        (Fraction(512), "1953.125"),
        (Fraction(1_000_000), "1"),
        (Fraction(1, 10), "10000000"),
        (Fraction(25_000_000), "0.04"),
    ],
)
def test_exact_intervals_are_written_shortest(rate, text):
    assert brainvision.format_interval_us(rate) == text


@given(st.fractions(min_value=Fraction(1, 1000), max_value=10**8, max_denominator=10**6))
def test_every_rate_comes_back_as_the_same_double(rate):
    interval = brainvision.format_interval_us(rate)
    assert "e" not in interval.lower()
    assert float(1_000_000 / Fraction(interval)) == pytest.approx(float(rate), rel=4e-16)


@given(
    st.builds(
        Marker,
        position=st.integers(0, 2**40),
        type=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\")),
        description=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])).filter(
            lambda text: "\\1" not in text
        ),
        points=st.integers(0, 2**31),
        channel=st.integers(-1, 1000),
    )
)
def test_marker_comes_back(marker):
    text = brainvision.format_marker_head("d.eeg") + brainvision.format_marker(1, marker)
    assert brainvision.parse_markers(text) == [marker]


@given(st.text(), st.text())
def test_any_text_makes_one_encodable_line(kind, description):
    line = brainvision.format_marker(7, Marker(0, kind, description))
    assert len(line.splitlines()) == 1
    line.encode()
    assert brainvision.parse_markers(line)[0].position == 0


def test_marker_before_the_first_sample_is_written_on_it():
    assert brainvision.format_marker(1, Marker(-5, "A", "b")) == "Mk1=A,b,1,1,0\n"


def test_omitted_marker_fields_are_filled():
    assert brainvision.parse_markers("Mk1=A,,4\nMk2=B,,5,,\n") == [Marker(3, "A"), Marker(4, "B")]


def test_unfinished_last_marker_is_left_out():
    assert brainvision.parse_markers("Mk1=A,b,1,1,0\nMk2=A,b") == [Marker(0, "A", "b")]


def test_broken_marker_line_is_refused_by_number():
    with pytest.raises(RecordingError, match="line 2"):
        brainvision.parse_markers("Mk1=A,b,1,1,0\nMk2=A,b\nMk3=A,b,2,1,0\n")


def test_torn_last_frame_is_left_out(tmp_path):
    path = tmp_path / "data.eeg"
    path.write_bytes(np.arange(7, dtype="<i2").tobytes() + b"\x01")
    samples = brainvision.map_samples(path, brainvision.Header("data.eeg", None, INFO))
    np.testing.assert_array_equal(samples, [[0, 1, 2], [3, 4, 5]])
    assert not samples.flags.writeable


def test_empty_data_file_has_no_samples(tmp_path):
    path = tmp_path / "data.eeg"
    path.touch()
    samples = brainvision.map_samples(path, brainvision.Header("data.eeg", None, INFO))
    assert samples.shape == (0, 3)
    assert not samples.flags.writeable


@pytest.mark.parametrize("cut", range(1, len(",123,1,0\n")))
def test_a_torn_position_is_not_taken_for_another_one(cut):
    text = "Mk1=A,b,1,1,0\nMk2=A,b,123,1,0\n"
    found = brainvision.parse_markers(text[: len(text) - cut])
    assert found in ([Marker(0, "A", "b")], [Marker(0, "A", "b"), Marker(122, "A", "b")])
