"""What programs that keep clocks say, in the words of their documentation and sources."""

import pytest

from rigctl.net.timekeepers import (
    KernelClock,
    chrony,
    judged,
    kernel,
    ptp4l,
    timedated,
    timesyncd,
)
from rigctl.reports import HostClock

CHRONY = (
    "CB00710F,203.0.113.15,3,1700000000.123456789,0.000025014,-0.000012345,0.000045678,"
    "-12.345,0.001,0.012,0.012345678,0.001234567,64.2,Normal\n"
)
NO_SERVER = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,"
    "1.000000000,1.000000000,0.0,Not synchronised\n"
)
TIMESYNC = """\
FallbackNTPServers=0.pool.example 1.pool.example
ServerName=0.pool.example
ServerAddress=203.0.113.15
RootDistanceMaxUSec=5s
PollIntervalMinUSec=32s
PollIntervalMaxUSec=34min 8s
PollIntervalUSec=8min 32s
NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=2, Precision=-25, RootDelay=1.113ms, \
RootDispersion=17.272ms, Reference=C0A80101, OriginateTimestamp=Tue 2023-11-14 22:13:20 UTC, \
ReceiveTimestamp=Tue 2023-11-14 22:13:20 UTC, TransmitTimestamp=Tue 2023-11-14 22:13:20 UTC, \
DestinationTimestamp=Tue 2023-11-14 22:13:20 UTC, Ignored=no, PacketCount=12, Jitter=427us }
Frequency=-1234567
"""
PMC = """\
sending: GET TIME_STATUS_NP
\t02005e.fffe.005301-0 seq 0 RESPONSE MANAGEMENT TIME_STATUS_NP 
\t\tmaster_offset              -310
\t\tingress_time               1700000000345029441
\t\tcumulativeScaledRateOffset +0.000000000
\t\tscaledLastGmPhaseChange    0
\t\tgmTimeBaseIndicator        0
\t\tlastGmPhaseChange          0x0000'0000000000000000.0000
\t\tgmPresent                  true
\t\tgmIdentity                 02005e.fffe.0053aa
"""  # noqa: W291  (pmc writes it so)
KEPT = KernelClock(synchronised=True, behind_s=2e-6, estimated_error_s=0.001, most_error_s=0.02)
LEFT = KernelClock(synchronised=False, behind_s=0.0, estimated_error_s=16.0, most_error_s=16.0)


def test_chrony_tells_whom_it_follows_and_the_bound_of_its_error():
    told = chrony(CHRONY)
    assert told
    assert (told.source, told.synchronised) == ("chrony", True)
    assert told.offset_s == pytest.approx(-0.000025014), "positive in its report means slow"
    assert told.error_s == pytest.approx(0.000025014 + 0.001234567 + 0.012345678 / 2)
    assert told.detail == "it follows 203.0.113.15, stratum 3"


def test_chrony_without_a_server_or_with_itself_as_one_is_not_synchronised():
    for text in (NO_SERVER, CHRONY.replace("CB00710F", "7F7F0101")):
        told = chrony(text)
        assert told
        assert told.synchronised is False
        assert told.error_s is None


def test_timesyncd_tells_its_server_and_the_distance_to_the_root():
    told = timesyncd(TIMESYNC)
    assert told
    assert (told.source, told.synchronised) == ("systemd-timesyncd", True)
    assert told.error_s == pytest.approx(0.001113 / 2 + 0.017272)
    assert told.detail == "it follows 0.pool.example, stratum 2"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("0", 0.0), ("427us", 427e-6), ("1min 2.5s", 62.5), ("1h 1ms", 3600.001), ("soon", None)],
)
def test_durations_of_systemd_are_read(written, seconds):
    text = TIMESYNC.replace("RootDelay=1.113ms", "RootDelay=0")
    told = timesyncd(text.replace("RootDispersion=17.272ms", f"RootDispersion={written}"))
    assert told
    assert told.error_s == (None if seconds is None else pytest.approx(seconds))


def test_timesyncd_that_has_heard_no_server_is_not_synchronised():
    before = TIMESYNC.split("NTPMessage")[0]
    for text in (before, "ServerName=\n" + before, TIMESYNC.replace("Leap=0", "Leap=3")):
        told = timesyncd(text)
        assert told
        assert told.synchronised is False


def test_ptp4l_tells_its_distance_to_the_master():
    told = ptp4l(PMC)
    assert told
    assert (told.source, told.synchronised) == ("ptp4l", True)
    assert told.offset_s == pytest.approx(-310e-9)
    assert told.detail == "its network clock follows 02005e.fffe.0053aa"


def test_ptp4l_without_a_master_keeps_no_clock():
    assert ptp4l(PMC.replace("true", "false")) is None


def test_systemd_tells_whether_the_clock_is_synchronised():
    assert timedated("NTPSynchronized=yes\n") == HostClock(source="timedated", synchronised=True)
    assert timedated("NTPSynchronized=no\n") == HostClock(source="timedated", synchronised=False)


@pytest.mark.parametrize("read", [chrony, timesyncd, ptp4l, timedated])
@pytest.mark.parametrize(
    "text",
    ["", "\n", "506 Cannot talk to daemon\n", ",,,,,,,,,,,,,", "a=b\n", "master_offset nan\n"],
)
def test_what_is_not_an_answer_is_none(read, text):
    assert read(text) is None


def test_the_kernel_tells_what_it_still_has_to_correct():
    assert kernel(KEPT) == HostClock(
        source="kernel", synchronised=True, offset_s=-2e-6, error_s=0.02
    )
    assert kernel(LEFT).synchronised is False


def test_a_keeper_that_follows_somebody_stands_before_the_kernels_word():
    told = judged([None, chrony(CHRONY), timesyncd(TIMESYNC)], kernel(KEPT))
    assert told == chrony(CHRONY)
    assert judged([None, chrony(NO_SERVER), timesyncd(TIMESYNC)], None) == timesyncd(TIMESYNC)


def test_the_kernels_word_stands_where_the_keeper_is_not_known():
    assert judged([None], kernel(KEPT)) == kernel(KEPT)
    assert judged([None], kernel(LEFT)) == kernel(LEFT)
    assert judged([chrony(NO_SERVER)], kernel(KEPT)) == kernel(KEPT)
    assert judged([chrony(NO_SERVER)], kernel(LEFT)) == chrony(NO_SERVER)


def test_a_card_that_follows_its_master_does_not_make_the_computer_do_so():
    assert judged([ptp4l(PMC)], kernel(KEPT)) == ptp4l(PMC)
    told = judged([ptp4l(PMC)], kernel(LEFT))
    assert told.synchronised is False
    assert "phc2sys" in told.detail


def test_a_kernel_that_does_not_agree_is_told_of():
    told = judged([chrony(CHRONY)], kernel(LEFT))
    assert told.synchronised is True
    assert told.detail.endswith("the kernel does not take the clock for synchronised")


def test_where_nothing_answers_nothing_is_said():
    told = judged([None, None], None)
    assert (told.source, told.synchronised) == ("", None)


def test_what_a_program_says_fills_no_report():
    told = chrony(CHRONY.replace("203.0.113.15", "x" * 10_000))
    assert len(judged([told], None).detail) == 200
