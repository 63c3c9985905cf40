"""Fixup: an inline firewall that does to mail what a Cisco PIX/ASA does.

The map, from the bottom up; a module imports its own package or a lower row, never up or sideways:

    value                             what a value is that every mail makes
    flow marks plain                  who talks to whom; the bits of a packet's mark; our values as JSON and back
    tcp          TCP STREAM           segments, sequence numbers, the reassembled stream, edits by offset
    esmtp        ESMTP INSPECTION     bytes of both directions -> facts
    policy       POLICY MAPS          facts -> actions; access lists, class maps, inspect maps
    nat          STATIC NAT LIMITS    translations and the pure model of admission
    syslog       SYSLOG               the %ASA- messages, one class each
    config       THE LANGUAGE         rule file -> frozen Config, and back
    datapath     the join             packets -> effects: stream, session and policy of each flow
    iptables     Config -> iptables-restore text
    show         Config + snapshot -> reports (plain data)
    kernel       everything that needs root
    control      the control socket
    replay       a capture through the same datapath, offline
    metrics      the snapshot as Prometheus metrics
    daemon       the processes
    lab          network namespaces: outside - firewall - inside
    cli          the commands
"""
