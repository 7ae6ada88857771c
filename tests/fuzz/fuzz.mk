# SPDX-License-Identifier: Apache-2.0
# Fuzzers: every tests/fuzz/NAME_fuzz.c, with libFuzzer and the address checker, by clang.
#
#   make check-fuzz                           each for FUZZ_SECONDS from its seeds
#   make check-fuzz FUZZ=ref_fuzz FUZZ_SECONDS=600
# Seeds stand in tests/fuzz/corpus/NAME/; what a run finds new goes to build/fuzz/tests/fuzz/corpus.

FUZZ_SECONDS ?= 60
# In CI: this for what reads from registries, plugins and clients, some seconds for the others.
FUZZ_FIRST         := ref_fuzz manifest_fuzz grpc_fuzz cni_conf_fuzz cni_result_fuzz layer_fuzz
FUZZ_FIRST_SECONDS ?= $(FUZZ_SECONDS)
FUZZ      ?= $(notdir $(basename $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_BINS := $(FUZZ:%=$(B)/tests/fuzz/%)

$(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(call libs,$(FOLDERS))
	$(call link,$(LDFLAGS_ALL) -fsanitize=fuzzer,$(LIBS_ALL))

.PHONY: check-fuzz check-fuzz-sample fuzz-programs
fuzz-programs: $(FUZZ_BINS)

# clang 14 lacks some of gcc's hardening, and warns of other things
check-fuzz:
	$(Q)$(MAKE) --no-print-directory B=$(B)/fuzz CC=clang SAN=address,undefined WERROR=0 HARDEN= \
		CFLAGS='-fsanitize=fuzzer-no-link -w' FUZZ='$(FUZZ)' fuzz-programs
	$(Q)hack/run-fuzz $(foreach f,$(FUZZ),$(B)/fuzz/tests/fuzz/$(f):$(if \
		$(filter $(f),$(FUZZ_FIRST)),$(FUZZ_FIRST_SECONDS),$(FUZZ_SECONDS)))

check-fuzz-sample:
	$(Q)$(MAKE) --no-print-directory check-fuzz FUZZ_SECONDS=10 FUZZ_FIRST_SECONDS=60
