"""The rules a configuration becomes: golden texts, other people's rules beside them, and the kernel's own opinion."""

import re
import shlex
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings

from appliance.config.config import Config
from appliance.config.load import load
from appliance.iptables import removal, rules, rules6
from tests.config.configs import configs

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "config").glob("*.cfg"))
MAIL = Path(__file__).parents[2] / "examples" / "mail.cfg"

#: What Docker leaves in the tables, in short.
DOCKER = """*filter
:DOCKER - [0:0]
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""


def loaded(path: Path) -> Config:
    config = load(path.read_bytes()).config
    assert config is not None
    return config


def rendered(config: Config, saved: str = "", generation: int = 1) -> str:
    return rules(config, generation=generation, workers=config.workers or 2, queue_base=0, saved=saved)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_rule_file_becomes_these_rules(path: Path) -> None:
    assert rendered(loaded(path)) == path.with_suffix(".rules").read_text()


def test_what_an_entry_denies_carries_its_hash_where_it_is_told_of() -> None:
    text = MAIL.read_text().replace(
        "access-group", "access-list outside_in extended deny tcp any any eq 24\naccess-group"
    )
    found = load(text).config
    assert found is not None
    [denial] = re.findall(
        r"^-A FIXUP_IN_outside0 (.*) -m comment --comment (\S+) -g FIXUP_DENIED$", rendered(found), re.M
    )
    mark = f"{int(denial[1], 16) & 0xFFFFFF00:#x}/0xffffff00"
    assert f"-A FIXUP_IN_outside0 {denial[0]} -j MARK --set-xmark {mark}\n" in rendered(found)
    silent = load(text.replace("logging enable", "no logging enable")).config
    assert silent is not None
    assert mark not in rendered(silent)


TOLD = "-m limit --limit 100/second --limit-burst 200 -j NFLOG --nflog-prefix"


@pytest.mark.parametrize(
    ("logging", "told"),
    [
        ("logging enable\nlogging buffered informational", ["106023", "106001", "106015"]),
        ("logging enable\nlogging trap warnings", ["106023", "106001"]),
        ("logging enable\nlogging console alerts", []),
        ("logging enable\nlogging buffered debugging\nno logging message 106015", ["106023", "106001"]),
        ("logging buffered debugging", []),
    ],
)
def test_copies_of_what_is_dropped_go_out_where_the_log_takes_them(logging: str, told: list[str]) -> None:
    config = load(logging.encode()).config
    assert config is not None
    lines = [line for line in rendered(config).splitlines() if "NFLOG" in line]
    assert [line.partition(f"{TOLD} ")[2].split()[0] for line in lines] == told
    ends = [line for line in rendered(config).splitlines() if line.endswith(" -j DROP")]
    for chain in ("FIXUP_DENIED", "FIXUP_UNASKED", "FIXUP_STRAY"):
        assert f"-A {chain} -j DROP" in ends


@settings(max_examples=50)
@given(configs())
def test_every_table_is_whole_and_only_ours(config: Config) -> None:
    for table in rendered(config).split("COMMIT\n")[:-1]:
        name, *lines = table.splitlines()
        assert name in ("*mangle", "*filter", "*raw", "*nat")
        chains = {line.split()[0][1:] for line in lines if line.startswith(":")}
        assert all(chain.startswith("FIXUP_") and len(chain) <= 28 for chain in chains)
        for line in lines:
            words = shlex.split(line)
            if words[0] == "-A":
                assert words[1] in chains
            if words[0] in ("-A", "-I") and words[-2] in ("-j", "-g") and words[-1].startswith("FIXUP_"):
                assert words[-1] in chains
            assert words[0][0] == ":" or words[0] in ("-A", "-I")


def test_numbers_out_of_range_are_refused() -> None:
    config = Config()
    for wrong in ({"generation": 0}, {"generation": 64}, {"workers": 0}, {"workers": 33}, {"queue_base": 65535}):
        with pytest.raises(ValueError, match=r"\d"):
            rules(config, **{"generation": 1, "workers": 2, "queue_base": 0, **wrong})


def test_marks_are_never_written_or_matched_without_a_mask_nor_the_low_bits_with_one() -> None:
    text = rendered(loaded(MAIL), generation=63)
    for value, mask in re.findall(r"--(?:set-xmark|mark) (\S+?)(?:/(\S+))?\s", text):
        assert mask, value
        assert int(mask, 16) & 0xFF == 0
        assert int(value, 16) & ~int(mask, 16) == 0


def test_what_is_there_is_replaced_and_what_is_no_longer_needed_goes() -> None:
    saved = (
        "# Generated\n*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*filter\n:FORWARD DROP [1:2]\n:DOCKER - [0:0]\n"
        ":FIXUP_FORWARD - [3:4]\n:FIXUP_IN_eth9 - [0:0]\n-A FORWARD -j FIXUP_FORWARD\n-A FORWARD -j FIXUP_FORWARD\n"
        "-A FORWARD -o docker0 -j DOCKER\n-A FIXUP_FORWARD -i eth9 -j FIXUP_IN_eth9\nCOMMIT\n"
    )
    text = rendered(loaded(MAIL), saved)
    filter_table = text[text.index("*filter") : text.index("*raw")]
    assert filter_table.count("-D FORWARD -j FIXUP_FORWARD\n") == 2
    assert filter_table.index("-D FORWARD") < filter_table.index("-I FORWARD 1 -j FIXUP_FORWARD")
    assert ":FIXUP_IN_eth9 - [0:0]\n" in filter_table
    assert filter_table.endswith("-X FIXUP_IN_eth9\nCOMMIT\n")
    assert "DOCKER" not in text
    assert removal(saved) == (
        "*filter\n:FIXUP_FORWARD - [0:0]\n:FIXUP_IN_eth9 - [0:0]\n-D FORWARD -j FIXUP_FORWARD\n"
        "-D FORWARD -j FIXUP_FORWARD\n-X FIXUP_FORWARD\n-X FIXUP_IN_eth9\nCOMMIT\n"
    )


def test_where_nothing_is_ours_there_is_nothing_to_remove() -> None:
    assert removal(DOCKER) == ""


INTERCEPTING = """
interface Ethernet0/0
 hardware outside0
 nameif outside
 security-level 0
interface Ethernet0/1
 hardware inside0
 nameif inside
 security-level 100
access-list outside_in extended deny tcp 203.0.113.64 255.255.255.192 any
access-list outside_in extended permit tcp any host 203.0.113.125 eq smtp
access-list outside_in extended permit tcp any host 203.0.113.126 eq 80
access-list outside_in extended permit udp any any
access-list outside_in extended permit ip host 203.0.113.7 192.0.2.0 255.255.255.0
access-group outside_in in interface outside
static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255 tcp 0 20
static (inside,outside) 203.0.113.126 192.0.2.26 netmask 255.255.255.255 tcp 20 0
"""


def test_synproxy_serves_whom_the_access_list_permits() -> None:
    config = load(INTERCEPTING.encode()).config
    assert config is not None
    text = rendered(config)
    assert [line for line in text.splitlines() if line.startswith("-A FIXUP_PROXY_")] == [
        "-A FIXUP_PROXY_1 -s 203.0.113.64/26 -p tcp -g FIXUP_DENIED",
        "-A FIXUP_PROXY_1 -p tcp --dport 25 -g FIXUP_PROXY",
        "-A FIXUP_PROXY_1 -s 203.0.113.7/32 -p tcp -g FIXUP_PROXY",
        "-A FIXUP_PROXY_1 -g FIXUP_DENIED",
    ]
    # where there is no embryonic limit nobody is intercepted
    assert [line for line in text.splitlines() if "--notrack" in line] == [
        "-A FIXUP_OUTPUT -o outside0 -s 203.0.113.125/32 -p tcp --tcp-flags SYN,ACK SYN,ACK -j CT --notrack",
        "-A FIXUP_FROM_outside0 -m mark --mark 0x200/0x700 -j CT --notrack",
    ]
    own = load(INTERCEPTING.replace("203.0.113.125", "192.0.2.25").encode()).config
    assert own is not None
    reset = "-A FIXUP_OUTPUT -o inside0 -p tcp --tcp-flags RST RST -m addrtype ! --src-type LOCAL -j CT --notrack"
    assert rendered(own).splitlines().count(reset) == 1
    without = load(INTERCEPTING.replace("tcp 0 20", "").encode()).config
    assert without is not None
    assert not re.search("PROXY|BACK|notrack", rendered(without))
    nobody = load(b"").config
    assert nobody is not None
    gone = rendered(nobody, saved=text).partition("*raw\n")[2].partition("COMMIT\n")[0].splitlines()
    chains = ["FIXUP_PREROUTING", "FIXUP_OUTPUT", "FIXUP_FROM_outside0", "FIXUP_FROM_inside0"]
    assert gone == [f":{chain} - [0:0]" for chain in chains] + [f"-X {chain}" for chain in chains]


def test_a_syn_to_be_answered_is_asked_nothing_that_its_mark_says() -> None:
    config = load(INTERCEPTING.encode()).config
    assert config is not None
    for table in rendered(config).split("COMMIT\n")[:2]:
        first = next(line for line in table.splitlines() if line.startswith("-A FIXUP_FORWARD "))
        assert first == "-A FIXUP_FORWARD -m mark --mark 0x200/0x700 -g FIXUP_INTERCEPTED"
    down = load(INTERCEPTING.replace(" nameif inside\n", " nameif inside\n shutdown\n").encode()).config
    assert down is not None
    assert "INTERCEPTED" not in rendered(down)


def test_the_reverse_path_is_asked_once_whether_or_not_it_is_told_of() -> None:
    quiet = load(INTERCEPTING.encode()).config
    told = load(
        f"{INTERCEPTING}logging enable\nlogging buffered 6\nip verify reverse-path interface outside\n".encode()
    )
    assert quiet is not None
    assert told.config is not None
    asked = [line for line in rendered(quiet).splitlines() if "rpfilter" in line]
    assert asked == [f"-A FIXUP_FROM_{device} -m rpfilter --invert -j DROP" for device in ("outside0", "inside0")]
    text = rendered(told.config)
    assert text.count("rpfilter") == 2
    assert "-A FIXUP_FROM_outside0 -m rpfilter --invert -g FIXUP_SPOOFED\n" in text
    assert f"-A FIXUP_SPOOFED {TOLD} 106021 --nflog-group 2500\n-A FIXUP_SPOOFED -j DROP\n" in text


def test_synproxy_serves_a_port_of_a_host_by_either_name_of_it() -> None:
    whole = "static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255 tcp 0 20"
    of_a_port = "static (inside,outside) tcp 203.0.113.125 2525 192.0.2.25 smtp netmask 255.255.255.255 tcp 0 20"
    assert whole in INTERCEPTING
    named = "access-list outside_in extended permit tcp any host 203.0.113.125 eq 2525\n"
    served = "-A FIXUP_PROXY_1 -p tcp -g FIXUP_PROXY"
    for more, chain in (("", False), (named, True), (named.replace("2525", "2526"), False)):
        config = load((INTERCEPTING.replace(whole, of_a_port).replace(" eq smtp", " eq 587") + more).encode()).config
        assert config is not None
        assert (served in rendered(config).splitlines()) is chain


OF_A_CLASS = """
class-map all
 match any
policy-map global_policy
 class all
  set connection embryonic-conn-max 5
service-policy global_policy global
"""


def test_who_is_called_by_its_own_address_is_asked_about_as_any_first_packet_is() -> None:
    """But not by another's name: what SYNPROXY sends there would be translated, what its client sends is not."""
    static = "static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255"
    assert static in INTERCEPTING
    for text, names in ((INTERCEPTING, ("203.0.113.125", "203.0.113.126")), (INTERCEPTING.partition("static")[0], ())):
        config = load((text + OF_A_CLASS).encode()).config
        assert config is not None
        mangled, _, rest = rendered(config).partition("*filter\n")
        lines = rest.splitlines()
        assert [line for line in lines if line.startswith("-A FIXUP_UNNAMED ")] == [
            *(f"-A FIXUP_UNNAMED -d {each}/32 -g FIXUP_STRAY" for each in names),
            "-A FIXUP_UNNAMED -j FIXUP_ACCESS",
            "-A FIXUP_UNNAMED -g FIXUP_PROXY",
        ]
        entrance = [line.partition(" -g ")[0] for line in lines if line.startswith("-A FIXUP_INTERCEPTED ")]
        assert entrance[len(names) :] == ["-A FIXUP_INTERCEPTED -i outside0 -o inside0 -p tcp", "-A FIXUP_INTERCEPTED"]
        assert [line for line in lines if "--notrack" in line][len(names) :] == [
            "-A FIXUP_OUTPUT -o outside0 -p tcp --tcp-flags SYN,ACK SYN,ACK -m addrtype ! --src-type LOCAL"
            " -j CT --notrack",
            "-A FIXUP_OUTPUT -o inside0 -p tcp --tcp-flags RST RST -m addrtype ! --src-type LOCAL -j CT --notrack",
            "-A FIXUP_FROM_outside0 -m mark --mark 0x200/0x700 -j CT --notrack",
        ]
        assert "-A FIXUP_BETWEEN -m conntrack --ctstate INVALID,UNTRACKED -g FIXUP_RETURNED" in lines
        assert "-g FIXUP_BACK_FIRST\n" in mangled


def test_synproxy_gets_no_ack_but_what_may_bring_a_cookie_back() -> None:
    config = load(INTERCEPTING.encode()).config
    assert config is not None
    assert [line for line in rendered(config).splitlines() if line.startswith("-A FIXUP_RETURNED ")] == [
        "-A FIXUP_RETURNED -m mark --mark 0x400/0x700 -g FIXUP_INTERCEPTED",
        "-A FIXUP_RETURNED -m mark --mark 0x300/0x700 -g FIXUP_INTERCEPTED",
        "-A FIXUP_RETURNED -g FIXUP_STRAY",
    ]


def test_an_intercepted_connection_gets_its_class_from_the_servers_side() -> None:
    lines = rendered(loaded(MAIL)).splitlines()
    there = [line for line in lines if line.startswith("-A FIXUP_CLASS_")]
    back = [line for line in lines if line.startswith("-A FIXUP_BACK_CLASS_")]
    swapped = {"-s": "-d", "-d": "-s", "--sport": "--dport"}
    assert there
    assert [" ".join(swapped.get(word, word) for word in line.replace("BACK_", "").split()) for line in back] == there


Run = Callable[..., str]


@pytest.fixture
def inside(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a program in a network namespace of the test's own; counters are shown as 0."""
    with namespace(f"cfg-{zlib.crc32(request.node.name.encode()):x}") as run:
        yield run


@contextmanager
def namespace(name: str) -> Iterator[Run]:
    subprocess.run(["ip", "netns", "add", name], check=True)

    def run(*command: str, text: str = "") -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", name, *command], input=text, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, f"{done.stderr}\n{text}"
        return re.sub(r"^#.*\n", "", re.sub(r"\[\d+:\d+\]", "[0:0]", done.stdout), flags=re.MULTILINE)

    try:
        yield run
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_marks_come_first_and_doors_last_and_go_the_other_way_round() -> None:
    text = rendered(loaded(MAIL))
    assert re.findall(r"^\*(\w+)$", text, re.MULTILINE) == ["mangle", "filter", "raw", "nat"]
    assert re.findall(r"^\*(\w+)$", removal(text), re.MULTILINE) == ["nat", "raw", "filter", "mangle"]


def test_ipv6_between_our_interfaces_is_dropped_and_no_other() -> None:
    assert rules6(loaded(MAIL)) == (
        "*filter\n:FIXUP_FORWARD - [0:0]\n:FIXUP_OUT - [0:0]\n:FIXUP_BETWEEN - [0:0]\n"
        "-I FORWARD 1 -j FIXUP_FORWARD\n"
        "-A FIXUP_FORWARD -i outside0 -g FIXUP_OUT\n-A FIXUP_FORWARD -i inside0 -g FIXUP_OUT\n"
        "-A FIXUP_OUT -o outside0 -g FIXUP_BETWEEN\n-A FIXUP_OUT -o inside0 -g FIXUP_BETWEEN\n"
        "-A FIXUP_BETWEEN -j DROP\nCOMMIT\n"
    )


@pytest.mark.root
def test_the_kernel_takes_every_golden_text(inside: Run) -> None:
    for path in GOLDEN:
        inside("iptables-restore", "--noflush", "--test", text=path.with_suffix(".rules").read_text())
        inside("ip6tables-restore", "--noflush", "--test", text=rules6(loaded(path)))


@pytest.mark.root
def test_applied_twice_changed_and_removed_beside_other_peoples_rules(inside: Run) -> None:
    mail, policies = loaded(MAIL), loaded(MAIL.parent.parent / "tests/golden/config/policies.cfg")
    inside("iptables-restore", "--noflush", text=DOCKER)
    before = inside("iptables-save")
    inside("iptables-restore", "--noflush", text=rendered(mail))
    once = inside("iptables-save")
    inside("iptables-restore", "--noflush", text=rendered(mail, saved=once))
    assert inside("iptables-save") == once
    forward = [line for line in once.splitlines() if line.startswith("-A FORWARD")]
    # mangle's own, then filter's: ours first, Docker's untouched behind it.
    assert forward[:2] == ["-A FORWARD -j FIXUP_FORWARD"] * 2
    assert forward[2:] == ["-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 -j ACCEPT"]
    inside("iptables-restore", "--noflush", text=rendered(policies, saved=once, generation=2))
    changed = inside("iptables-save")
    assert "FIXUP_IN_outside0" not in changed
    inside("iptables-restore", "--noflush", text=removal(changed))
    # The tables that iptables made for us stay, with their built-in chains empty.
    assert re.sub(r"\*(mangle|raw)\n(:\S+ ACCEPT \[0:0\]\n)+COMMIT\n", "", inside("iptables-save")) == before


#: Says where a connection came from, from any address and port it is asked for, until it is told to end.
ECHO = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for address, port in (each.split(":") for each in sys.argv[1:]):
    waiting.register(socket.create_server((address, int(port))), selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in waiting.select():
        connection, peer = key.fileobj.accept()
        connection.sendall(peer[0].encode())
        connection.close()
"""
#: Connects to each ADDRESS:PORT and prints what it is told, or - where nobody answers.
ASK = """
import socket, sys
for address, port in (each.split(":") for each in sys.argv[1:]):
    try:
        with socket.create_connection((address, int(port)), timeout=0.4) as connection:
            print(connection.recv(64).decode())
    except OSError:
        print("-")
"""


def answers(name: str, *targets: str) -> list[str]:
    command = ["ip", "netns", "exec", name, sys.executable, "-c", ASK, *targets]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split()


@contextmanager
def listening(name: str, *targets: str) -> Iterator[None]:
    command = ["ip", "netns", "exec", name, sys.executable, "-c", ECHO, *targets]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()


@contextmanager
def three_namespaces(prefix: str) -> Iterator[Run]:
    """outside - firewall - inside, wired as the lab is; the firewall's `run`."""
    with namespace(f"{prefix}-o") as outside, namespace(f"{prefix}-f") as firewall, namespace(f"{prefix}-i") as inside:
        for run, far, ours, other, addresses, router in (
            (outside, "outside0", "203.0.113.1", "o", ["203.0.113.10"], "203.0.113.1"),
            (inside, "inside0", "192.0.2.1", "i", ["192.0.2.25", "192.0.2.26"], "192.0.2.1"),
        ):
            firewall("ip", "link", "add", far, "type", "veth", "peer", "name", "eth0", "netns", f"{prefix}-{other}")
            firewall("ip", "address", "add", f"{ours}/24", "dev", far)
            firewall("ip", "link", "set", far, "up")
            for address in addresses:
                run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "link", "set", "eth0", "up")
            run("ip", "route", "add", "default", "via", router)
        for mapped in ("203.0.113.125", "203.0.113.126"):
            outside("ip", "route", "add", f"{mapped}/32", "via", "203.0.113.1")
        firewall("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_tcp_loose=0")
        yield firewall


@pytest.mark.root
def test_who_may_connect_where_and_who_is_queued() -> None:
    prefix = "cfg-way"
    with three_namespaces(prefix) as firewall:
        firewall("iptables-restore", "--noflush", text=rendered(loaded(MAIL)))
        servers = listening(f"{prefix}-i", "192.0.2.25:25", "192.0.2.26:25", "192.0.2.26:80")
        with servers, listening(f"{prefix}-o", "203.0.113.10:25", "203.0.113.10:80"):
            # The exempt host at its mapped address; not at another port, not at its real address.
            asked = answers(f"{prefix}-o", "203.0.113.126:25", "203.0.113.126:80", "192.0.2.26:25")
            assert asked == ["203.0.113.10", "-", "-"]
            # The inspected one: queued, and nobody listens on the queue.
            assert answers(f"{prefix}-o", "203.0.113.125:25") == ["-"]
            queues = re.findall(r"^ *(\d+) .* NFQUEUE num (\d)", firewall("iptables", "-vnL", "FIXUP_QUEUE"), re.M)
            assert [int(number) for packets, number in queues if int(packets) > 0] == [0]
            # From inside out: the server appears as its mapped address; its mail is inspected too, the web is not.
            assert answers(f"{prefix}-i", "203.0.113.10:80", "203.0.113.10:25") == ["203.0.113.125", "-"]
