"""A lab reached by other addresses: nothing else about it changes, wherever the file lies."""

from dataclasses import fields, replace

import msgspec
import pytest
import yaml

from rigctl.address import Address
from rigctl.config import Lab, load_lab
from rigctl.config.detour import detour
from rigctl.config.document import Document
from rigctl.config.key import new_key
from rigctl.config.lab import _LabFile

LONG = """\
lab: demo
timeouts: {echo: 0.5, reply: 20}
data_root: ../data
key_file: secret/key
tls: {cert: tls/lab.pem, key: tls/lab.key, ca: tls/ca.pem}
state_dir: state
stop_last: [eeg]
clock_limit: 20ms
go_after: 1s
rigs:
  eeg: udp://10.0.0.4:11001
  video: {uri: "tcp://10.0.0.5", required: false, dialect: iblutil, retries: 2}
"""
FLAT = "cameras: udp://10.0.0.4\nephys: {uri: 10.0.0.7, required: false}\n"


def led_elsewhere(tmp_path, text):
    """Load a lab, and the same led elsewhere from a file in another folder."""
    path, far = tmp_path / "lab/rigctl.yaml", tmp_path / "far/away/chaos.yaml"
    for folder in (path.parent, far.parent):
        folder.mkdir(parents=True)
    path.write_text(text)
    new_key(path.parent / "secret/key")
    for name in ("lab.pem", "lab.key", "ca.pem"):
        (path.parent / "tls").mkdir(exist_ok=True)
        (path.parent / "tls" / name).touch(mode=0o600)
    lab = load_lab(path)
    addresses = {
        name: replace(rig.address, host="127.0.0.1", port=4000 + index)
        for index, (name, rig) in enumerate(lab.rigs.items())
    }
    far.write_text(yaml.safe_dump(detour(lab, Document.read(path), addresses)))
    return lab, load_lab(far), addresses


@pytest.mark.parametrize("text", [LONG, FLAT])
def test_all_but_the_addresses_is_as_it_was(tmp_path, text):
    lab, led, addresses = led_elsewhere(tmp_path, text)
    expected = {name: replace(rig, address=addresses[name]) for name, rig in lab.rigs.items()}
    assert led.rigs == expected
    rest = [field.name for field in fields(Lab) if field.name not in ("rigs", "path")]
    assert {name: getattr(led, name) for name in rest} == {n: getattr(lab, n) for n in rest}
    assert str(next(iter(led.rigs.values())).address) == "udp://127.0.0.1:4000"


def test_the_lab_above_says_all_that_a_lab_file_can_say():
    """What a lab file learns to say later is to be kept, too."""
    assert yaml.safe_load(LONG).keys() == {field.name for field in msgspec.structs.fields(_LabFile)}


def test_the_lab_is_called_as_before_though_the_file_is_not(tmp_path):
    assert led_elsewhere(tmp_path, FLAT)[1].name == "rigctl"


def test_keys_that_say_nothing_go_on_saying_nothing(tmp_path):
    text = "rigs: {eeg: 10.0.0.4}\ndata_root: null\ntls: null\nkey_file: null\n"
    _, led, addresses = led_elsewhere(tmp_path, text)
    assert (led.data_root, led.tls, led.key) == (None, None, None)
    assert addresses == {"eeg": Address("udp", "127.0.0.1", 4000)}
