# SPDX-License-Identifier: Apache-2.0
# Targets that test; each ends with "N passed, N failed, N skipped".

BATS    := $(sort $(wildcard tests/bats/*.bats))
FOCUS   ?=
# A part of the conformance suite that takes half a minute; check-critest runs all of it.
SAMPLE  := runtime should support (basic operations on (container|pod)|mapping)|should support execSync|listImage
PARTS   := check-lint check-unit check-proto check-bats check-critest

.PHONY: check check-bats check-proto check-critest check-critest-sample check-kubelet check-san \
	check-lint lint
check: $(BINS) $(UNIT_BINS)
	$(Q)B=$(B) hack/check $(PARTS)

# A single file: make check-bats BATS=tests/bats/20-images.bats
check-bats: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/run-bats $(BATS)

# Our transcription of the CRI against the published one.
check-proto:
	$(Q)hack/check-proto; rc=$$?; case $$rc in 0) echo '1 passed, 0 failed, 0 skipped' ;; \
		2) echo '0 passed, 0 failed, 1 skipped' ;; *) echo '0 passed, 1 failed, 0 skipped'; \
		exit 1 ;; esac

check-critest: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/with-node hack/run-critest $(abspath $(B))/critest \
		$(if $(FOCUS),--ginkgo.focus='$(FOCUS)')
check-critest-sample:
	$(Q)$(MAKE) --no-print-directory check-critest FOCUS='$(SAMPLE)'

# A stock kubelet, alone, with static pods on our server.
check-kubelet: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/with-node hack/run-kubelet

# Unit and bats tests once more with address and undefined-behaviour checks.
check-san:
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined B=build/san all
	$(Q)B=build/san MAKE="$(MAKE) SAN=address,undefined" hack/check check-unit check-bats

check-lint lint:
	$(Q)hack/lint
