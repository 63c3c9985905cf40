"""The firewall's life: a refused start changes nothing, a killed worker is replaced, an end puts all back."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.lab import EXAMPLE, Lab
from tests.e2e.box import Box
from tests.e2e.firewall import FIXUP, fixup, hosts
from tests.e2e.test_mail import mails
from tests.ground import Ground, eventually

pytestmark = pytest.mark.root


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Three hosts without a running firewall."""
    with hosts("fxl") as made:
        yield made


def state(lab: Lab) -> dict[str, str]:
    """All that a firewall changes in its host."""
    host = Ground(lab.network)
    links = host.run("firewall", "ip", "-o", "link")
    commands = {
        "addresses": ("ip", "-o", "-4", "addr"),
        "routes": ("ip", "route", "show", "table", "all"),
        "proxies": ("ip", "neigh", "show", "proxy"),
        "qdiscs": ("tc", "qdisc", "show"),
        "settings": ("sysctl", "-e", "net.ipv4.ip_forward", "net.ipv4.conf", "net.ipv4.neigh", "net.netfilter"),
    }
    told = {what: host.run("firewall", *command) for what, command in commands.items()}
    told["up"] = " ".join(
        line.split(": ")[1] for line in links.splitlines() if "UP" in line.split("<")[1].split(">")[0].split(",")
    )
    for family in ("iptables-save", "ip6tables-save"):
        told[family] = "\n".join(line for line in host.run("firewall", family).splitlines() if line[0] != "#")
    told["settings"] = "\n".join(line for line in told["settings"].splitlines() if "nf_conntrack_count" not in line)
    # noqueue is what the kernel gives a veth the first time it is up.
    told["qdiscs"] = "\n".join(line for line in told["qdiscs"].splitlines() if "noqueue" not in line)
    told["run directory"] = str(lab.directory.exists())
    told["mounts"] = "\n".join(
        line for line in Path("/proc/mounts").read_text().splitlines() if str(lab.directory) in line
    )
    return told


def stopped(pid: int) -> bool:
    """The process has ended; our own child is reaped."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return not Path(f"/proc/{pid}").exists()


def worker(pid: int) -> int:
    """The one worker of the daemon `pid`."""
    (only,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(only)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_puts_back_what_was_found(lab: Lab, number: signal.Signals) -> None:
    before = state(lab)
    pid = lab.start(EXAMPLE)
    during = state(lab)
    assert [what for what in before if before[what] == during[what]] == []  # it does change each of them
    os.kill(pid, number)
    assert eventually(lambda: stopped(pid))
    assert state(lab) == before


def test_after_kill_9_the_door_stays_shut_and_cleanup_opens_nothing(lab: Lab) -> None:
    before = state(lab)
    pid = lab.start(EXAMPLE)
    during = state(lab)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: stopped(pid))
    assert eventually(lambda: not Ground(lab.network).run("firewall", "cat", "/proc/net/netfilter/nfnetlink_queue"))
    after = state(lab)
    assert {what: after[what] for what in ("iptables-save", "qdiscs")} == {
        what: during[what] for what in ("iptables-save", "qdiscs")
    }
    assert fixup(lab, "cleanup").returncode == 0
    assert state(lab) == before


def test_a_new_run_takes_over_what_a_killed_one_left(lab: Lab) -> None:
    before = state(lab)
    first = lab.start(EXAMPLE)
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: stopped(first))
    second = lab.start(EXAMPLE)
    os.kill(second, signal.SIGTERM)
    assert eventually(lambda: stopped(second))
    assert state(lab) == before


def test_a_bad_file_changes_nothing(lab: Lab) -> None:
    bad = lab.directory.parent / "bad.cfg"
    bad.write_text(
        EXAMPLE.read_text().replace("service-policy global_policy global", "service-polic global_policy globe")
    )
    before = state(lab)
    done = fixup(lab, "run", str(bad))
    assert done.returncode == 2
    assert "bad.cfg:" in done.stderr
    assert state(lab) == before


def test_a_second_instance_is_refused_and_the_first_goes_on(lab: Lab) -> None:
    pid = lab.start(EXAMPLE)
    during = state(lab)
    done = fixup(lab, "run", str(EXAMPLE))
    assert done.returncode == 1
    assert f"another instance (process {pid}) runs in {lab.directory}" in done.stderr.strip().splitlines()[-1]
    assert state(lab) == during
    assert fixup(lab, "show", "conn").returncode == 0


def test_a_second_instance_with_a_run_directory_of_its_own_is_refused_too(lab: Lab) -> None:
    pid = lab.start(EXAMPLE)
    during = state(lab)
    elsewhere = lab.directory.parent / "elsewhere"
    quiet = lab.directory.parent / "quiet.cfg"
    quiet.write_text(EXAMPLE.read_text().replace("metrics listen", "! metrics listen"))
    for command in (["run", str(quiet)], ["cleanup"]):
        done = fixup(lab, "--run-dir", str(elsewhere), *command)  # the latter counts
        assert done.returncode == 1
        assert f"is served by process {worker(pid)}: another instance runs" in done.stderr.strip().splitlines()[-1]
    assert state(lab) == during
    assert not elsewhere.exists()


def test_cleanup_in_another_namespace_is_refused_and_the_record_kept(lab: Lab) -> None:
    before = state(lab)
    pid = lab.start(EXAMPLE)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: stopped(pid))
    command = [FIXUP, "--run-dir", str(lab.directory), "cleanup"]
    done = Ground(lab.network).beside(
        "outside", lambda: subprocess.run(command, capture_output=True, text=True, check=False)
    )
    assert "of another network namespace" in done.result().stderr
    assert fixup(lab, "cleanup").returncode == 0
    assert state(lab) == before


def test_without_root_one_line_says_what_to_do(lab: Lab, tmp_path: Path) -> None:
    before = state(lab)

    def unprivileged() -> tuple[int, str]:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        done = subprocess.run([FIXUP, "run", str(EXAMPLE)], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    host = Ground(lab.network)
    code, told = host.beside("firewall", unprivileged).result()
    assert code == 1
    assert "root" in told
    assert len(told.splitlines()) == 1
    assert state(lab) == before


def test_a_missing_device_is_refused_at_its_line_and_changes_nothing(lab: Lab) -> None:
    other = lab.directory.parent / "other.cfg"
    other.write_text(EXAMPLE.read_text().replace("hardware inside0", "hardware nosuch0"))
    before = state(lab)
    done = fixup(lab, "run", str(other))
    assert done.returncode == 1, "not 2, which systemd takes for good: the device may come"
    line = next(number for number, line in enumerate(other.read_text().splitlines(), 1) if "nosuch0" in line)
    assert f"other.cfg:{line}:11: ERROR: no such device: nosuch0 (see ip link)\n   hardware nosuch0\n" in done.stderr
    assert state(lab) == before


def deliver(mail: Box, name: str) -> None:
    """Five mails to recipients called after `name`, delivered."""
    sent = {f"{name}-{recipient}": octets for recipient, octets in mails("esmtp.inside.example", 5, seed=8).items()}
    mail.submit(sent)
    assert eventually(lambda: all(mail.server.delivered(recipient) for recipient in sent))


def test_a_killed_worker_is_replaced_and_mail_flows_again(mail: Box) -> None:
    deliver(mail, "first")
    mail.kill_workers()
    before = mail.inspected()
    deliver(mail, "again")
    assert mail.inspected()["packet"] > before["packet"] > 0  # counters outlive a worker
    assert any("orker" in line for line in mail.log())
