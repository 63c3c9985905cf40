"""The configuration in force: replaced whole or not at all, and kept in its file."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.config.config import Config
from appliance.config.load import load
from appliance.config.render import running_config
from appliance.control.protocol import Applied, Refusal, StartupConfigReport, Written
from appliance.daemon.configuration import Configuration
from appliance.daemon.startup import Startup
from appliance.kernel.errors import KernelError
from appliance.syslog import Record

TEXT = """\
! the box
hostname edge
interface Ethernet0/0
 hardware lo
 nameif outside
! who may come in
access-list in extended permit tcp any any eq smtp
access-group in in interface outside
"""


@dataclass
class Box:
    """A configuration of a file, and what it is asked to enforce."""

    file: Path
    enforced: list[Config] = field(default_factory=list)
    refusal: str = ""
    ended: int = 0  # connections, by any change
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file.write_text(TEXT, encoding="utf-8")
        config = load(TEXT).config
        assert config is not None
        self.configuration = Configuration(config, Startup(self.file), self.enforce, self.told)
        self.before = config

    def told(self, record: Record) -> None:
        self.log.append(f"{record.id} {record.sentence()}")

    def enforce(self, config: Config) -> int:
        if self.refusal:
            raise KernelError(self.refusal)
        self.enforced.append(config)
        return self.ended


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "box.cfg")


def test_a_reload_enforces_what_the_file_says(box: Box) -> None:
    box.file.write_text(TEXT.replace("edge", "core"), encoding="utf-8")
    outcome = box.configuration.reload()
    assert outcome == Applied(str(box.file), True, ())
    assert [each.hostname for each in box.enforced] == ["core"]
    assert box.configuration.running is box.enforced[0]


def test_it_is_known_when_something_else_came_into_force(box: Box) -> None:
    assert box.configuration.modified is None
    box.configuration.change(("nonsense",))
    assert box.configuration.modified is None
    box.configuration.reload()
    first = box.configuration.modified
    assert first is not None
    box.configuration.change(("hostname core",))
    assert box.configuration.modified is not None
    assert box.configuration.modified > first


def test_it_is_told_how_many_connections_a_change_ends(box: Box) -> None:
    box.ended = 3
    assert box.configuration.change(("hostname core",)) == Applied("", True, (), 3)


def test_a_bad_file_is_enforced_by_nobody(box: Box) -> None:
    box.file.write_text(TEXT + "nonsense\n", encoding="utf-8")
    outcome = box.configuration.reload()
    assert isinstance(outcome, Applied)
    assert (outcome.done, [each.place.line for each in outcome.findings]) == (False, [9])
    assert (box.enforced, box.configuration.running) == ([], box.before)


def test_what_the_machine_refuses_is_not_in_force(box: Box) -> None:
    box.refusal = "no way to the gateway"
    outcome = box.configuration.reload()
    assert outcome == Refusal("no way to the gateway; the configuration in force is the one before")
    assert box.configuration.running == box.before


def test_a_file_that_is_gone_is_a_refusal(box: Box) -> None:
    box.file.unlink()
    for outcome in (box.configuration.reload(), box.configuration.write(), box.configuration.startup_report()):
        assert isinstance(outcome, Refusal)
        assert outcome.message.endswith("No such file or directory")


def test_lines_change_what_is_in_force_all_of_them_or_none(box: Box) -> None:
    outcome = box.configuration.change(("hostname core", "access-list in permit udp any any eq domain"))
    assert outcome == Applied("", True, ())
    assert "access-list in extended permit udp any any eq domain" in running_config(box.configuration.running)
    for bad in ("nonsense", "access-group nope in interface outside", "no hardware"):
        outcome = box.configuration.change(("hostname other", "interface Ethernet0/0", bad))
        assert isinstance(outcome, Applied)
        assert not outcome.done, bad
    assert len(box.enforced) == 1
    assert box.configuration.running.hostname == "core"


def test_lines_for_a_device_this_machine_has_not_are_refused(box: Box) -> None:
    outcome = box.configuration.change(("interface Ethernet0/1", "hardware nosuch0", "nameif inside"))
    assert isinstance(outcome, Applied)
    assert [each.message for each in outcome.findings] == ["ERROR: no such device: nosuch0 (see ip link)"]


def test_what_is_written_is_what_is_in_force_with_comments_that_have_a_place(box: Box) -> None:
    box.file.chmod(0o640)
    assert box.configuration.change(("hostname core",)) == Applied("", True, ())
    written = box.configuration.write()
    assert isinstance(written, Written)
    text = box.file.read_text(encoding="utf-8")
    assert "hostname core\n" in text
    assert "access-list in remark who may come in\naccess-list in extended permit tcp any any eq smtp\n" in text
    assert (written.octets, written.comments_lost) == (len(text), 1)
    assert load(text).config == box.configuration.running
    assert box.file.with_name("box.cfg.old").read_text(encoding="utf-8") == TEXT
    assert box.file.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in box.file.parent.iterdir()) == ["box.cfg", "box.cfg.old"]
    again = box.configuration.write()
    assert isinstance(again, Written)
    assert (again.checksum, again.comments_lost) == (written.checksum, 0)


def test_a_link_stays_one(box: Box) -> None:
    real = box.file.rename(box.file.with_name("real.cfg"))
    box.file.symlink_to(real)
    assert isinstance(box.configuration.write(), Written)
    assert box.file.is_symlink()
    assert "! the box" not in real.read_text(encoding="utf-8")


def test_the_startup_configuration_is_told_as_it_stands(box: Box) -> None:
    assert box.configuration.startup_report() == StartupConfigReport(str(box.file), tuple(TEXT.splitlines()))


def test_what_a_command_came_to_is_logged(box: Box) -> None:
    box.configuration.reload()
    box.configuration.change((" hostname  core", "username joe password s3cret"))
    box.configuration.write()
    box.configuration.change(("nonsense",))
    box.refusal = "no way to the gateway"
    box.configuration.reload()
    assert box.log == [
        "111008 User 'enable_15' executed the 'reload' command.",
        "111008 User 'enable_15' executed the 'configure terminal' command.",
        "111008 User 'enable_15' executed the 'hostname core' command.",
        "111008 User 'enable_15' executed the 'username joe password *' command.",
        "111008 User 'enable_15' executed the 'write memory' command.",
        "900005 Command 'configure terminal' changed nothing: 1 error in it",
        "900005 Command 'reload' changed nothing: no way to the gateway; the configuration in force is the one before",
    ]
