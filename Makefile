# The commands of this repository; each installs what it needs, and does nothing twice.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 3

# Debian packages that tests use: peers to talk to, a browser, checkers of units and role.
PEERS := age bind9 chromium conntrack dcmtk faketime fonts-dejavu-core gcc inadyn iproute2 iputils-ping lego \
    libc6-dev miniupnpd miniupnpd-nftables mmdebstrap nftables nmap openssl orthanc orthanc-dicomweb pebble procps \
    python3-jinja2 systemd-container wireguard-go wireguard-tools zbar-tools
CHECKERS := ansible ansible-lint systemd yamllint

# make demo: ports, and where the archive goes (a fresh temporary folder unless named).
PORT ?= 8080
DICOM_PORT ?= 11112
STATE ?=

.PHONY: help
help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: install
install: ## leave .venv/bin/appliance and the built pages in web/dist
	@.ci/install python run
	@.ci/install web

.PHONY: dev
dev: # what tests, lint, demo and bench need besides
	@.ci/install python dev
	@.ci/install web

.PHONY: lint
lint: dev ## formatting, lint, strict types, import contracts, pages
	@.ci/install packages $(CHECKERS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	cd web && npm run --silent check

.PHONY: test
test: lint ## everything, browser and lab included, in under twenty minutes on two cores
	@.ci/install packages $(PEERS)
	cd web && npm test --silent && npm run --silent budget
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone

.PHONY: demo
demo: dev ## a box with sample images on this machine, until Ctrl-C
	@.ci/install packages dcmtk
	@PORT=$(PORT) DICOM_PORT=$(DICOM_PORT) STATE=$(STATE) $(BIN)/python -m tests.demo

.PHONY: bench
bench: dev ## figures of storing, querying and retrieving, beside Orthanc's
	@.ci/install packages dcmtk iproute2 orthanc orthanc-dicomweb
	$(BIN)/appliance bench all

.PHONY: torture
torture: dev ## a thousand kills while four modalities send, a hundred thousand flipped bits, failing calls, power cuts
	@.ci/install packages $(PEERS)
	NEGATO_TORTURE_ROUNDS=1000 NEGATO_TORTURE_FLIPS=100000 NEGATO_TORTURE_COMMANDS=250 NEGATO_TORTURE_BATCHES=60 NEGATO_TORTURE_CUTS=40 NEGATO_TORTURE_FAULTS=0 \
	    $(BIN)/python -m pytest tests/torture -s

.PHONY: lab
lab: dev ## the tunnel in a small internet of network namespaces, as root: scans, a phone that moves, one that is lost
	@.ci/install packages $(PEERS)
	$(BIN)/python -m pytest -n 4 --dist loadfile tests/lab tests/netd tests/e2e/test_names.py

IMAGE_TOOLS := ansible dosfstools e2fsprogs fdisk git minisign mmdebstrap mtools zstd
ARCH ?= amd64
IMAGE_DIR ?= image

.PHONY: image
image: install ## the flashable image of the committed code, as root: ARCH=amd64, into IMAGE_DIR
	@.ci/install packages $(IMAGE_TOOLS)
	ansible/image/build $(ARCH) $(IMAGE_DIR)

.PHONY: test-vm
test-vm: dev ## the image of IMAGE_DIR in QEMU: boot, archive, a picture received and viewed, its name nowhere on the disk
	@.ci/install packages dcmtk ovmf qemu-system-x86 qemu-utils zstd
	NEGATO_TEST_IMAGE="$$(ls $(IMAGE_DIR)/negatoscope-*-amd64.img.zst)" $(BIN)/python -m pytest -s tests/vm

.PHONY: screenshots
screenshots: dev ## the pictures of README and docs, by the browser tests
	SCREENSHOTS=docs/pictures $(BIN)/python -m pytest tests/browser -k pictures
	rm docs/pictures/*-list.jpg

.PHONY: lock
lock: ## refresh the locked Python packages
	@.ci/install lock
