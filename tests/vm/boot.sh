#!/bin/bash
# Boots Debian 12's own kernel on this machine's files and runs kernel.sh, beside this one, in it.
#
# The guest sees this machine's root directory read-only (9p) under a layer of memory, so it has whatever `make setup`
# installed and changes nothing here; it has no network but its own namespaces. Processors are emulated: some twenty
# times slower, on any machine. The last line the guest prints is its verdict; the exit status follows it.
set -eu -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
seconds=${SECONDS_AT_MOST:-5400}
export PATH=$PATH:/usr/sbin:/sbin

cache=$repository/.cache/vm
kernel=$cache/kernel
if ! compgen -G "$kernel/boot/vmlinuz-*" >/dev/null; then
    echo "Unpacking Debian's kernel"
    rm -rf "$cache" && mkdir -p "$kernel"
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    (cd "$cache" && apt-get download -qq "$package" 2>/dev/null && dpkg -x linux-image-*.deb kernel && rm ./*.deb)
    depmod -b "$kernel" "$(ls "$kernel/lib/modules")"
fi
release=$(ls "$kernel/lib/modules")

# The first process: the modules that reach the two shares, the layer of memory, and over to the guest script.
first=$cache/first
rm -rf "$first" && mkdir -p "$first"/{bin,modules,proc,sys,dev,lower,memory,root}
cp /usr/bin/busybox "$first/bin/"
for each in virtio_pci 9p 9pnet_virtio overlay; do
    modprobe -d "$kernel" -S "$release" --show-depends "$each" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r module; do
    cp "$module" "$first/modules/"
    basename "$module"
done >"$first/modules/order"
cp "$here/first.sh" "$first/init" && chmod +x "$first/init"
(cd "$first" && find . | cpio -o -H newc --quiet | gzip) >"$cache/first.gz"

console=$cache/console.log
share=local,security_model=none,readonly=on
timeout "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 6144 -smp 2 -nographic -no-reboot -nic none \
    -kernel "$kernel/boot/vmlinuz-$release" -initrd "$cache/first.gz" \
    -append "console=ttyS0 panic=-1 quiet guest=$here/kernel.sh repository=$repository" \
    -virtfs "$share,path=/,mount_tag=root,multidevs=remap" \
    -virtfs "$share,path=$kernel/lib/modules/$release,mount_tag=modules" </dev/null | tee "$console" |
    sed -u 's/\r$//'
grep -q '^guest: all well' "$console" || { echo "kernel.sh: not well; its console is in $console" >&2; exit 1; }
