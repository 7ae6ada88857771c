# SPDX-License-Identifier: Apache-2.0
# System call tests: each tests/syscalls/*.c is a static program that runs natively and inside.
#
#   make check-syscalls                    all       make check-syscalls SYSCALLS='signal wait'
#   make check-locks                       with a sentry that checks the order of its locks

SYSCALLS      ?= $(sort $(notdir $(basename $(wildcard tests/syscalls/*.c))))
SYSCALLS_BINS := $(SYSCALLS:%=$(B)/tests/syscalls/%)

$(B)/tests/syscalls/%: tests/syscalls/%.c tests/syscalls/check.h tests/unit/tap.h
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -std=gnu2x -O1 -g -D_GNU_SOURCE -Wall -Wextra \
		-Wno-nonnull -Wno-unused-result -static -pthread -I. $< -o $@

# Programs that bats tests run inside.
GUEST_BINS := $(patsubst tests/guest/%.c,$(B)/tests/guest/%,$(wildcard tests/guest/*.c))
$(B)/tests/guest/%: tests/guest/%.c runtimes/sentry/platform/abi.h
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -std=gnu2x -O1 -g -D_GNU_SOURCE $(WARN) -static -I. $< -o $@
check-bats check-programs: $(GUEST_BINS)

.PHONY: check-syscalls check-syscall-rows
check-syscalls: $(BINS) $(SYSCALLS_BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/box hack/run-syscalls $(abspath $(SYSCALLS_BINS))

# The sentry with locks that know their order: whoever takes one out of turn ends the pod.
LOCKS_BINS := $(addprefix $(B)/locks/bin/bulkhead-,sentry stub gofer stand-in)
LOCKS_UNITS := $(patsubst %.c,$(B)/locks/%,$(wildcard tests/unit/runtimes/sentry/*/*_test.c))
.PHONY: check-locks
check-locks: $(SYSCALLS_BINS)
	$(Q)$(MAKE) --no-print-directory LOCK_DEBUG=1 B=$(B)/locks $(LOCKS_BINS) $(LOCKS_UNITS)
	$(Q)BIN=$(abspath $(B))/locks/bin hack/box hack/run-units $(abspath $(LOCKS_UNITS))
	$(Q)BIN=$(abspath $(B))/locks/bin hack/box hack/run-syscalls $(abspath $(SYSCALLS_BINS))
	$(Q)BIN=$(abspath $(B))/locks/bin hack/run-bats tests/bats/91-sentry-do.bats

# Each row of the table that is served is tested in all that it can answer.
check-syscall-rows: $(SYSCALLS_BINS)
	$(Q)hack/box hack/check-syscall-rows $(SYSCALLS_BINS)
