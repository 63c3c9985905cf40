#!/bin/bash
# Installs the firewall into a copy of this machine and boots a systemd of its own there, which runs service.sh, beside
# this one: the unit as it is shipped, with its sandbox, its watchdog and its restarts.
#
# The copy is a layer over the root directory and goes away with everything in it; its network is its own. The last line
# that service.sh writes is its verdict; the exit status follows it.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
seconds=${SECONDS_AT_MOST:-600}

layer=$(mktemp -d "${TMPDIR:-/tmp}/fixup-service.XXXXXX")
root=$layer/root
leave() {
    umount "$root" 2>/dev/null || true
    rm -rf "$layer"
}
trap leave EXIT
trap 'exit 130' INT TERM
mkdir "$layer/upper" "$layer/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"

echo "Installing into a copy of this machine"
mkdir -p "$root/srv/fixup"
git -C "$repository" ls-files -z | tar -C "$repository" --null -T - -c | tar -C "$root/srv/fixup" -x
unshare --mount --pid --fork chroot "$root" /bin/sh -c 'mount -t proc proc /proc && make -s -C /srv/fixup install'

# One unit, and none of those that this machine would start: it runs the script and ends the machine.
cat >"$root/etc/systemd/system/proof.target" <<'UNIT'
[Unit]
Requires=basic.target
Wants=proof.service
After=basic.target
UNIT
cat >"$root/etc/systemd/system/proof.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash /srv/fixup/tests/service/service.sh
StandardOutput=append:/srv/said
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block exit
UNIT
: >"$root/srv/said"
tail -n +1 -f --pid=$$ "$root/srv/said" &
telling=$!
# What it grants beyond a container's usual: what the unit's own bounding set asks for.
timeout "$seconds" systemd-nspawn --quiet --directory="$root" --register=no --keep-unit --private-network \
    --machine=fixup-service --capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN,CAP_SYS_RESOURCE --system-call-filter=bpf \
    --boot systemd.unit=proof.target </dev/null >"$layer/console" 2>&1 || true
sleep 1 # tail looks once a second
kill "$telling" && wait "$telling" 2>/dev/null || true
if [ "$(tail -n 1 "$root/srv/said")" != "service: all well" ]; then
    tail -n 20 "$layer/console" >&2
    echo "service.sh: not well" >&2
    exit 1
fi
