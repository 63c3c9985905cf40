#!/bin/bash
# Under the copy's systemd (see container.sh): what the unit promises, each step a line or the reason why not.
set -eu -o pipefail
config=/etc/fixup/fixup.cfg

fail() {
    echo "FAILED: $*"
    systemctl status --no-pager fixup || true
    journalctl --no-pager --lines=60 --unit=fixup || true
    exit 1
}
# until_true SECONDS COMMAND…: as soon as it succeeds, or failure when the time is over.
until_true() {
    local left=$1
    shift
    until "$@"; do
        ((left--)) || fail "waited for: $*"
        sleep 1
    done
}
property() { systemctl show --property="$1" --value fixup; }
restarted() { [ "$(property NRestarts)" -ge "$1" ] && systemctl --quiet is-active fixup; }
# A mail from outside to the server inside: its banner is masked, and a verb that inspection does not know is X.
mail() {
    ip netns exec outside timeout 20 /opt/fixup/.venv/bin/python - <<'PYTHON'
import smtplib
server = smtplib.SMTP(timeout=15, local_hostname="client.example")
code, greeting = server.connect("203.0.113.125", 25)
assert code == 220 and set(greeting) <= set(b"*20 "), (code, greeting)
server.sendmail("a@client.example", ["b@inside.example"], b"Subject: x\r\n\r\nx\r\n")
assert server.docmd("EXPN", "b")[0] >= 500
server.quit()
PYTHON
}

forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
systemctl start fixup 2>/dev/null && fail "it started without its devices"
[ "$(property ExecMainStatus)" = 1 ] || fail "a missing device is exit code $(property ExecMainStatus)"
for side in outside inside; do
    ip netns add $side
    ip link add ${side}0 type veth peer name eth0 netns $side
    ip -n $side link set lo up
    ip -n $side link set eth0 up
    ip link set ${side}0 up
done
ip -n outside address add 203.0.113.10/24 dev eth0
ip -n inside address add 192.0.2.25/24 dev eth0
ip -n inside route add default via 192.0.2.1
ip netns exec inside smtp-sink -u nobody 192.0.2.25:25 50 &
until_true 90 restarted 1
echo "ok: it starts by itself once its devices are there"
mail || fail "mail"
echo "ok: mail is inspected"

systemctl reload fixup || fail "reload"
cp $config /tmp/good && echo "no such statement" >>$config
systemctl reload fixup 2>/dev/null && fail "a bad file was reloaded"
cp /tmp/good $config
mail || fail "mail behind a bad reload"
echo "ok: a reload says whether the file is good, and a bad one changes nothing"

printf 'enable\nconfigure terminal\nhostname changed\nend\nwrite memory\n' | fixup console >/tmp/console || fail "console"
grep -q '^hostname changed' $config && [ -e $config.old ] || fail "write memory: $(cat /tmp/console)"
echo "ok: write memory reaches the rule file through the unit's sandbox"

workers=$(pgrep -u fixup-worker | wc -l)
[ "$workers" -ge 1 ] || fail "no worker under its own user"
grep -q '^CapEff:.*0000000000001000' "/proc/$(pgrep -u fixup-worker | head -n 1)/status" || fail "a worker's capabilities"
echo "ok: a worker is fixup-worker with CAP_NET_ADMIN alone"

before=$(property NRestarts)
kill -KILL "$(property MainPID)"
until_true 90 restarted $((before + 1))
mail || fail "mail behind kill -9"
echo "ok: killed, it is started again and takes over"

# It answers no watchdog while it is stopped, and no SIGABRT either; a loop that hangs would at once.
mkdir -p /run/systemd/system/fixup.service.d
printf '[Service]\nTimeoutAbortSec=3\n' >/run/systemd/system/fixup.service.d/sooner.conf
systemctl daemon-reload
before=$(property NRestarts)
kill -STOP "$(property MainPID)"
until_true 150 restarted $((before + 1))
journalctl --quiet --unit=fixup --grep='Watchdog timeout' >/dev/null || fail "no word of the watchdog"
mail || fail "mail behind the watchdog"
echo "ok: hung, it is ended by the watchdog and started again"

systemctl stop fixup || fail "stop"
[ "$(iptables-save | grep -ci fixup)" = 0 ] || fail "rules stay: $(iptables-save)"
[ "$(tc qdisc show | grep -c clsact)" = 0 ] || fail "programs stay: $(tc qdisc show)"
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = "$forwarding" ] || fail "it still forwards"
! mountpoint -q /run/fixup/bpf || fail "the maps stay"
echo "ok: stopped, everything is as it was found"

systemctl enable --now fixup 2>/dev/null || fail "enable --now"
make -s -C /srv/fixup uninstall
[ ! -e /opt/fixup ] && [ ! -e /etc/systemd/system/fixup.service ] && [ -e $config ] || fail "uninstall"
[ "$(iptables-save | grep -ci fixup)" = 0 ] || fail "rules stay behind uninstall"
echo "ok: make uninstall stops it and leaves only the rule file"
echo "service: all well"
