# SPDX-License-Identifier: Apache-2.0
# Benchmarks: beside the peer, in one run on one machine.

.PHONY: bench bench-pod bench-pull
bench: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod life mem par list pull
bench-pod: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod life mem par
bench-pull: $(BINS)
	$(Q)BIN=$(abspath $(B))/bin tests/bench/bench-pod pull
