# Fixup: what a checkout can do. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := /usr/bin/python3
VENV   := .venv
PREFIX ?= /opt/fixup
ROOT   := $(filter 0,$(shell id -u))

# What the firewall itself needs, and what its tests and its demo talk to.
APT_RUN  := python3-bpfcc python3-venv python3-dev gcc libc6-dev libnetfilter-queue-dev iptables iproute2 procps \
            linux-headers-$(shell dpkg --print-architecture)
APT_TEST := postfix swaks libnet-ssleay-perl libio-socket-ssl-perl openssl ethtool systemd
# Exim conflicts with Postfix as a package, not as a program: it is unpacked, never installed.
EXIM_DEBS := exim4-base exim4-daemon-light
EXIM_LIBS := libgnutls-dane0 libidn12 libidn2-0 libpcre2-8-0 libdb5.3

.PHONY: help setup packages accounts venv demo test limits soak reloads lint bench flood mutants fuzz vm service install uninstall clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: packages accounts venv ## prepare this machine (needs root once) and .venv

packages:
	@missing=""; for each in $(APT_RUN) $(APT_TEST) $(EXIM_LIBS); do \
	    dpkg-query -W -f='$${db:Status-Abbrev}' $$each 2>/dev/null | grep -q '^ii' || missing="$$missing $$each"; done; \
	if [ -n "$$missing" ]; then \
	    if [ -z "$(ROOT)" ]; then echo "make: not root, so these packages stay missing:$$missing"; exit 0; fi; \
	    echo "Installing:$$missing"; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@if [ -n "$(ROOT)" ] && [ -n "$(EXIM_DEBS)" ] && [ ! -x .cache/exim/usr/sbin/exim4 ]; then \
	    echo "Unpacking Exim"; rm -rf .cache/exim; mkdir -p .cache/exim; cd .cache/exim; \
	    apt-get download -qq $(EXIM_DEBS) 2>/dev/null || { apt-get update -qq; apt-get download -qq $(EXIM_DEBS); }; \
	    for each in *.deb; do dpkg -x "$$each" .; done; rm -f *.deb; \
	fi

accounts:
	@if [ -n "$(ROOT)" ]; then \
	    getent group fixup >/dev/null || groupadd --system fixup; \
	    getent passwd fixup-worker >/dev/null || useradd --system --no-create-home --home-dir /nonexistent \
	        --shell /usr/sbin/nologin --user-group fixup-worker; \
	    [ -z "$(EXIM_DEBS)" ] || getent passwd Debian-exim >/dev/null || useradd --system --no-create-home \
	        --home-dir /var/spool/exim4 --shell /usr/sbin/nologin --user-group Debian-exim; \
	fi

venv: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv --system-site-packages --clear $(VENV)
	@$(VENV)/bin/pip install -qq --disable-pip-version-check -e '.[test]'
	@touch $@

demo: setup ## what an ASA does to mail, shown with real servers in network namespaces (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make demo needs root for its network namespaces: sudo make demo" >&2; exit 2; fi
	@$(VENV)/bin/fixup lab demo --name fixup-demo

test: setup lint ## every test; without root the pure ones
	@$(VENV)/bin/pytest -q

limits: setup ## the limits at full length: the model, races, a storm, 3 x 2,000 connections, a flood (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make limits needs root: sudo make limits" >&2; exit 2; fi
	@FIXUP_LONG=1 $(VENV)/bin/pytest -q tests/bpf/test_against_model.py tests/bpf/test_network.py \
	    tests/bpf/test_storm.py tests/e2e/test_intercept.py

soak: setup ## the proofs at full length: a crowd of 10,000, killed workers, a million connections, a bad line (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make soak needs root: sudo make soak" >&2; exit 2; fi
	@FIXUP_LONG=1 $(VENV)/bin/pytest -q -rP tests/e2e/test_crowd.py tests/e2e/test_killed_workers.py \
	    tests/e2e/test_impairment.py tests/datapath/test_bounds.py tests/datapath/test_bad_line.py

reloads: setup ## 1,000 mails in flight under 50 reloads, and as many bad files (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make reloads needs root: sudo make reloads" >&2; exit 2; fi
	@FIXUP_LONG=1 $(VENV)/bin/pytest -q tests/e2e/test_reload_under_load.py

lint: venv
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check -q .
	@$(VENV)/bin/mypy

bench: setup ## how fast mail goes: direct, inspected, exempt, queued alone, Suricata; ONLY=NOOP, ROUNDS=1 (needs root)
	@$(VENV)/bin/python -m bench $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS))

flood: setup ## what mail goes through while SYNs flood the server, each way of defending it in turns (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make flood needs root: sudo make flood" >&2; exit 2; fi
	@$(VENV)/bin/python -m bench flood $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS))

mutants: venv ## break every rule once, and see whether the tests notice
	@$(VENV)/bin/python -m tests.mutants.run $(ONLY)

FUZZ_SECONDS ?= 600
fuzz: venv ## ten minutes of a coverage-guided fuzzer for the session, and ten for messages
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || $(VENV)/bin/pip install -q --disable-pip-version-check -e '.[fuzz]'
	@for each in session message; do \
	    nice -n 19 $(VENV)/bin/python -m tests.fuzz.run $$each -max_total_time=$(FUZZ_SECONDS) -verbosity=0; done

APT_VM := qemu-system-x86 busybox-static kmod cpio
vm: setup ## the programs and rules on Debian 12's own kernel, in an emulated machine: ten minutes (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make vm needs root: sudo make vm" >&2; exit 2; fi
	@$(MAKE) packages APT_TEST="$(APT_VM)" EXIM_LIBS= EXIM_DEBS=
	@tests/vm/boot.sh

service: ## the unit under a systemd of its own, in a container: three minutes (needs root)
	@if [ -z "$(ROOT)" ]; then echo "make service needs root: sudo make service" >&2; exit 2; fi
	@$(MAKE) packages APT_TEST="systemd-container postfix" EXIM_LIBS= EXIM_DEBS=
	@tests/service/container.sh

install: ## into PREFIX (/opt/fixup), with the systemd unit and /etc/fixup/fixup.cfg
	@if [ -z "$(ROOT)" ]; then echo "make install needs root: sudo make install" >&2; exit 2; fi
	@$(MAKE) packages accounts APT_TEST= EXIM_LIBS= EXIM_DEBS=
	@install -d $(PREFIX) /etc/fixup
	@rm -rf $(PREFIX)/appliance $(PREFIX)/bpf
	@cp -r appliance bpf examples pyproject.toml README.md $(PREFIX)/
	@$(PYTHON) -m venv --system-site-packages $(PREFIX)/.venv
	@$(PREFIX)/.venv/bin/pip install -qq --disable-pip-version-check -e $(PREFIX)
	@[ -e /etc/fixup/fixup.cfg ] || install -m 0640 -g fixup examples/mail.cfg /etc/fixup/fixup.cfg
	@ln -sfn $(PREFIX)/.venv/bin/fixup /usr/local/bin/fixup
	@install -m 0644 -D systemd/fixup.service /etc/systemd/system/fixup.service
	@if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Installed in $(PREFIX). Edit /etc/fixup/fixup.cfg, then: fixup check /etc/fixup/fixup.cfg && systemctl enable --now fixup"

uninstall: ## what install put there, but not /etc/fixup
	@if [ -z "$(ROOT)" ]; then echo "make uninstall needs root: sudo make uninstall" >&2; exit 2; fi
	@if [ -d /run/systemd/system ]; then systemctl disable --now fixup 2>/dev/null || true; fi
	@if [ -x $(PREFIX)/.venv/bin/fixup ]; then $(PREFIX)/.venv/bin/fixup cleanup || true; fi
	@rm -rf $(PREFIX) /etc/systemd/system/fixup.service
	@[ "$$(readlink /usr/local/bin/fixup)" != "$(PREFIX)/.venv/bin/fixup" ] || rm -f /usr/local/bin/fixup
	@if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
	@echo "Removed. /etc/fixup is kept."

clean: ## .venv, caches
	@rm -rf $(VENV) .cache build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
