#!/bin/sh
# The mail servers' host: Postfix on all three inside addresses, mail for inside.example into /var/mail/bob.
set -eu

device=$(ip -o -4 addr show to 192.0.2.25 | awk '{print $2}')
for last in 26 27; do
    ip addr replace "192.0.2.$last/24" dev "$device"
done
# Only what lies outside goes by the firewall; the way to the packages stays Vagrant's.
ip route replace 203.0.113.0/24 via 192.0.2.1

if ! command -v postfix >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postfix ssl-cert >/dev/null
    getent passwd bob >/dev/null || useradd --create-home bob
    postconf -e 'myhostname = mail.inside.example' 'mydestination = inside.example, localhost' \
        'mynetworks = 127.0.0.0/8' 'inet_interfaces = all' 'inet_protocols = ipv4' \
        'smtpd_tls_security_level = may' \
        'smtpd_tls_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem' \
        'smtpd_tls_key_file = /etc/ssl/private/ssl-cert-snakeoil.key'
    systemctl restart postfix
fi
