"""The weather that ``rigctl chaos`` is asked for, and in plain words (pure).

From: the command line.  To: `net.weather`.
"""

import re
from dataclasses import dataclass

from rigctl.cli.durations import option_seconds
from rigctl.errors import ConfigError
from rigctl.net.weather import Weather, Window

_PERCENTAGE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")


@dataclass(frozen=True, slots=True)
class Choice:
    """The options as they were typed; empty where one was not given."""

    loss: str = ""
    duplicate: str = ""
    reorder: str = ""
    delay: str = ""
    jitter: str = ""
    partition: str = ""
    cut: str = ""


def choose(choice: Choice) -> Weather:
    """Return the weather that the options mean.

    Raises:
        ConfigError: names the option and says what would be right.
    """
    return Weather(
        loss=_share("--loss", choice.loss),
        duplication=_share("--duplicate", choice.duplicate),
        reordering=_share("--reorder", choice.reorder),
        delay_s=_seconds("--delay", choice.delay),
        jitter_s=_seconds("--jitter", choice.jitter),
        cut=_share("--cut", choice.cut),
        partitions=_partitions(choice.partition),
    )


def in_words(weather: Weather) -> str:
    """Return what becomes of what passes, in one sentence."""
    packets = [
        f"{_percent(share)} {fate}"
        for share, fate in (
            (weather.loss, "are lost"),
            (weather.duplication, "arrive twice"),
            (weather.reordering, "are held back"),
        )
        if share
    ]
    parts = [f"of datagrams {', '.join(packets)}"] if packets else []
    if weather.cut:
        parts.append(f"{_percent(weather.cut)} of what a stream carries breaks it")
    if weather.delay_s or weather.jitter_s:
        parts.append(f"everything takes {_range_ms(weather)} ms each way")
    parts += [
        f"nothing passes for {window.for_s:g} s in every {window.every_s:g} s"
        for window in weather.partitions
    ]
    return "; ".join(parts) or "everything passes unharmed"


def _share(option: str, text: str) -> float:
    match = _PERCENTAGE.fullmatch(text) if text else None
    share = float(match[1]) / 100 if match else 0.0
    if (text and not match and text.strip() != "0") or share > 1:
        raise ConfigError("", option, f"a percentage such as 5% is needed, not {text!r}")
    return share


def _seconds(option: str, text: str) -> float:
    return option_seconds(option, text) if text else 0.0


def _partitions(text: str) -> tuple[Window, ...]:
    if not text:
        return ()
    length, slash, every = text.partition("/")
    if not slash:
        problem = f"say how long, and in every how long, such as 2s/30s, not {text!r}"
        raise ConfigError("", "--partition", problem)
    for_s, every_s = (option_seconds("--partition", part) for part in (length, every))
    try:
        return (Window.periodic(every_s, for_s),)
    except ValueError as error:
        raise ConfigError("", "--partition", str(error)) from None


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def _range_ms(weather: Weather) -> str:
    least_ms, most_ms = weather.delay_s * 1e3, (weather.delay_s + weather.jitter_s) * 1e3
    return f"{least_ms:g} to {most_ms:g}" if weather.jitter_s else f"{least_ms:g}"
