"""Devices are found by kind, checked and opened."""

import logging
from importlib.metadata import EntryPoint

import pytest

import rigctl.devices
from rigctl.devices import kinds, open_device, settings_for
from rigctl.devices.rda import RdaDevice
from rigctl.devices.simulated import SimulatedDevice
from rigctl.errors import ConfigError


def test_our_own_kinds_are_registered():
    found = kinds()
    assert found["rda"] is RdaDevice
    assert found["simulated"] is SimulatedDevice


def test_a_device_is_made_of_checked_settings():
    settings = settings_for("rda", {"host": "127.0.0.1", "port": 51234})
    device = open_device("rda", settings, "amp")
    assert isinstance(device, RdaDevice)
    assert (device.name, device.settings) == ("amp", settings)
    assert settings == RdaDevice.Settings(host="127.0.0.1", port=51234)


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        settings_for("rad", {})
    assert caught.value.key == "device"
    assert "rda" in caught.value.problem
    assert "simulated" in caught.value.problem


def test_a_kind_that_cannot_be_loaded_hurts_only_who_asks_for_it(monkeypatch, caplog):
    broken = EntryPoint("broken", "no.such.module:Device", "rigctl.devices")
    monkeypatch.setattr(rigctl.devices, "entry_points", lambda group: [broken])
    with caplog.at_level(logging.WARNING):
        assert kinds() == {}
    assert "no.such" in caplog.text or "No module named" in caplog.text
    with pytest.raises(ConfigError, match="cannot be loaded"):
        settings_for("broken", {})


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({}, "host"),
        ({"host": ""}, "host"),
        ({"host": "h", "port": 0}, "port"),
        ({"host": "h", "port": 65536}, "port"),
        ({"host": "h", "stall_s": 0}, "stall_s"),
    ],
)
def test_impossible_amplifiers_are_refused(raw, key):
    with pytest.raises(ConfigError) as caught:
        settings_for("rda", raw)
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"channels": 0}, "channels"),
        ({"rate": 0}, "rate"),
        ({"rate": -1.5}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"rate": "1/0"}, "rate"),
        ({"rate": 1e12}, "rate"),
        ({"dtype": "complex64"}, "dtype"),
        ({"noise": -1}, "noise"),
        ({"block_s": 0}, "block_s"),
        ({"block_s": 5, "channels": 65536, "rate": 1e6}, "block_s"),
        ({"markers": 1e-9}, "markers"),
        ({"shape": [4]}, "shape"),
        ({"shape": [0, 4]}, "shape[0]"),
        ({"channel": 4}, "channel"),
    ],
)
def test_impossible_signals_are_refused(raw, key):
    with pytest.raises(ConfigError) as caught:
        settings_for("simulated", raw)
    assert caught.value.key == key
