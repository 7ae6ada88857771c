# SPDX-License-Identifier: Apache-2.0
# Benchmarks: beside the peer, in one run on one machine.

.PHONY: bench bench-pod bench-pull bench-sentry bench-vm
bench: $(BINS) bench-sentry
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod cni host seccomp many restart parallel pull
bench-pod: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod
bench-pull: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod pull

# The sentry beside runsc and native.  The guest runs in all three, so it is static.
BENCH_GUEST := $(B)/tests/bench/guest
$(BENCH_GUEST): $(wildcard tests/bench/guest/*.c) tests/bench/guest/guest.h
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -std=gnu2x -O2 -g -D_GNU_SOURCE $(WARN) -static -pthread -I. \
		$(filter %.c,$^) -o $@
bench-sentry: $(BINS) $(BENCH_GUEST)
	$(Q)BIN=$(abspath $(B))/bin BENCH_GUEST=$(abspath $(BENCH_GUEST)) tests/bench/bench-sentry $(BENCH)

# The micro-VM beside QEMU's microvm machine (and FIRECRACKER=), in an emulated machine.
bench-vm: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-vm $(RUNS)
