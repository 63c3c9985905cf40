#!/bin/busybox sh
# The guest's first process: mounts the machine's files under a layer of memory and goes there (see boot.sh).
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order
for word in $($b cat /proc/cmdline); do
    case $word in guest=* | repository=*) export "$word" ;; esac
done

how=trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000
release=$($b uname -r)
$b mount -t 9p -o $how root /lower
$b mount -t tmpfs -o size=3g memory /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work layer /root
$b mkdir -p "/root/lib/modules/$release"
$b mount -t 9p -o $how modules "/root/lib/modules/$release"
for each in proc sys dev; do $b mount --move /$each /root/$each; done
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec $b switch_root /root /bin/bash "$guest"
