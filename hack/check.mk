# SPDX-License-Identifier: Apache-2.0
# Targets that test; each ends with "N passed, N failed, N skipped".

BATS    := $(sort $(wildcard tests/bats/*.bats))
FOCUS   ?=
PARTS   := check-lint check-unit check-proto check-install check-grpc check-bats check-critest \
	check-syscalls check-syscall-rows check-vm-sample check-fuzz-sample check-san

.PHONY: check check-programs check-bats check-install check-proto check-grpc check-critest \
	check-kubelet check-vm check-vm-sample check-san check-san-unit check-lint lint

# What the tests need is installed first: quick when everything is there.
check:
	$(Q)hack/install-deps build run test vm
	$(Q)hack/setup-peers go cri runtime >/dev/null
	$(Q)$(MAKE) --no-print-directory check-programs
	$(Q)B=$(B) hack/check $(PARTS)
check-programs: $(BINS) $(UNIT_BINS)

# A single file: make check-bats BATS=tests/bats/20-images.bats
check-bats: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/run-bats $(BATS)

# What `make install` puts where, and that it runs from there.
check-install: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/run-units hack/check-install

# Our transcription of the CRI against the published one.
check-proto:
	$(Q)hack/check-proto; rc=$$?; case $$rc in 0) echo '1 passed, 0 failed, 0 skipped' ;; \
		2) echo '0 passed, 0 failed, 1 skipped' ;; *) echo '0 passed, 1 failed, 0 skipped'; \
		exit 1 ;; esac

# The kubelet's client library against our server: deadlines, cancels, sizes, broken frames.
check-grpc: $(BINS)
	$(Q)cd tests/grpc && CGO_ENABLED=0 GOFLAGS=-buildvcs=false ../../hack/go build -o $(abspath $(B))/tests/grpc/grpc .
	$(Q)BIN=$(abspath $(B))/bin hack/with-node -s '' hack/run-units $(abspath $(B))/tests/grpc/grpc

# By a newer runc than Debian 12's, which knows user namespaces.
check-critest: NODE_RUNC = $(or $(BULKHEAD_PEERS),/opt/bulkhead-peers)/bin/runc
check-critest: $(BINS)
	$(Q)NODE_RUNC='["$(NODE_RUNC)", "runc"]' BIN=$(abspath $(B))/bin hack/with-node hack/run-critest $(abspath $(B))/critest \
		$(if $(FOCUS),--ginkgo.focus='$(FOCUS)')

# A stock kubelet, alone, with static pods on our server.
check-kubelet: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/with-node hack/run-kubelet

# What wants a machine of its own: cgroup v2 alone, KVM.  A single file: make check-vm VM=tests/vm/20-check.bats
check-vm: $(BINS) $(filter %/overlay_test %/cgroup_test %/unified_test,$(UNIT_BINS))
	$(Q)BIN=$(abspath $(B))/bin tests/vm/check $(VM)

# Of it what a few minutes allow: pods on cgroup v2, KVM, a guest's boot.
VM_SAMPLE := controllers that pods need|runc runs a container|KVM is usable|vmlinux boots by PVH
check-vm-sample: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin BATS_FILTER='$(VM_SAMPLE)' tests/vm/check tests/vm/10-cgroup2.bats \
		tests/vm/20-check.bats tests/vm/30-vmm.bats

# Tests once more with address and undefined-behaviour checks.
check-san check-san-unit: SAN_PARTS = check-unit
check-san: SAN_PARTS += check-bats
check-san check-san-unit:
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined B=$(B)/san all
	$(Q)B=$(B)/san MAKE="$(MAKE) SAN=address,undefined" hack/check $(SAN_PARTS)

check-lint lint:
	$(Q)BIN=$(abspath $(B))/bin hack/lint
