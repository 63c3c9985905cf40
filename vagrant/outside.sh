#!/bin/sh
# The clients' host: swaks, and nothing to configure: the firewall answers for the mapped addresses.
set -eu

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    swaks libnet-ssleay-perl libio-socket-ssl-perl openssl >/dev/null
echo "try: swaks --server 203.0.113.125 --to bob@inside.example, and the same with 203.0.113.126 and --tls"
