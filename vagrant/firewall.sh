#!/bin/sh
# The firewall: installs Fixup from the checkout and runs it on the second and third interface.
set -eu

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq make >/dev/null
make -C /opt/fixup-source install PREFIX=/opt/fixup

# The first interface is Vagrant's; the order of the others is the Vagrantfile's.
set -- $(ls /sys/class/net | grep -v '^lo$' | sort -V)
sed -e "s/hardware outside0/hardware $2/" -e "s/hardware inside0/hardware $3/" \
    /opt/fixup-source/examples/mail.cfg >/etc/fixup/fixup.cfg

fixup check /etc/fixup/fixup.cfg
systemctl enable fixup
systemctl restart fixup
