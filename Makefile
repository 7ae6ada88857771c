# SPDX-License-Identifier: Apache-2.0
# Bulkhead: one Makefile, no recursion.  `make help` lists the targets.
#
#   build/<profile>/obj  objects      build/<profile>/lib  one archive a folder
#   build/bin            programs     build/san/bin        programs of SAN=address,undefined

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
AR      := ar
SAN     ?=
V       ?=
# The sentry checks the order of its locks; sanitizer builds do it too.
LOCK_DEBUG ?= $(SAN)

ifeq ($(SAN),)
B       ?= $(if $(LOCK_DEBUG),build/locks,build)
else ifeq ($(SAN),thread)
B       ?= build/tsan
else
B       ?= build/san
endif

Q := $(if $(V),,@)
comma := ,
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)';)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
	-Wnull-dereference $(if $(filter 0,$(WERROR)),,-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-ftrivial-auto-var-init=zero $(if $(SAN),,-D_FORTIFY_SOURCE=2)
OPT    := $(if $(SAN),-O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=undefined,-O2)
# -Ulinux: CRI messages have fields called "linux"
CFLAGS_ALL := -std=gnu2x -g -D_GNU_SOURCE -Ulinux -DBULKHEAD_VERSION='"$(VERSION)"' -fPIE \
	-ffunction-sections -fdata-sections $(WARN) $(HARDEN) $(OPT) -I. -I$(B)/gen $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed \
	$(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
# Small programs that live as long as a pod, or run inside one, carry no libc of the host's.
STATIC := $(if $(SAN),,-static-pie -Wl,-z,pack-relative-relocs)

# --- folders that become archives; main files of programs are kept out -------------------------

VMM_FOLDERS := $(addprefix runtimes/microvm/,kvm boot devices virtio mmds machine api jail)
SENTRY_FOLDERS := $(addprefix runtimes/sentry/,kern platform vfs ipc net task fs sys boot cli)
FOLDERS := base storage network image image/fetch image/unpack runtimes runtimes/bundle \
	runtimes/cgroup runtimes/oci runtimes/monitor runtimes/pause cri cri/proto cri/grpc cri/pods \
	cri/services cri/stream cri/tool runtimes/gofer $(SENTRY_FOLDERS) $(VMM_FOLDERS)
MAINS   := image/fetch/main.c image/unpack/main.c runtimes/monitor/main.c runtimes/pause/main.c \
	runtimes/gofer/main.c runtimes/microvm/jail/main.c cri/main.c cri/tool/main.c

PROTOS  := $(wildcard cri/proto/*.proto runtimes/monitor/*.proto)
GEN_C   := $(PROTOS:%.proto=$(B)/gen/%.pb-c.c)
GEN_H   := $(GEN_C:.c=.h)

srcs     = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
gen_of   = $(patsubst %.proto,$(B)/obj/gen/%.pb-c.o,$(wildcard $(1)/*.proto))
objs     = $(patsubst %.c,$(B)/obj/%.o,$(call srcs,$(1))) $(call gen_of,$(1))
lib      = $(B)/lib/$(subst /,-,$(1)).a
libs     = $(foreach f,$(1),$(call lib,$(f)))

LIBS_DAEMON := -lnghttp2 -lprotobuf-c -lyajl -lsqlite3 -lcrypto -lcurl -larchive -lmnl -lseccomp \
	-lcap -lz -lpthread -ldl
LIBS_FETCH  := -lcurl -lyajl -lcrypto -lprotobuf-c -lz
LIBS_UNPACK := -larchive -lisal -lzstd -lz -lyajl -lcrypto
LIBS_TOOL   := -lnghttp2 -lprotobuf-c -lyajl -lsqlite3 -lcrypto -lmnl -lseccomp -lcap -lz -lpthread
LIBS_ALL    := $(LIBS_DAEMON) -lisal -lzstd

PROGRAMS := bulkheadd bulkhead bulkhead-monitor bulkhead-pause bulkhead-fetch bulkhead-unpack \
	bulkhead-gofer bulkhead-sentry bulkhead-stand-in bulkhead-socket-helper \
	bulkhead-stub bulkhead-vmm bulkhead-jailer
BINS     := $(PROGRAMS:%=$(B)/bin/%)

DAEMON_FOLDERS := cri cri/services cri/pods cri/stream cri/grpc cri/proto image network storage \
	runtimes runtimes/bundle runtimes/monitor runtimes/cgroup runtimes/oci base

.PHONY: all clean install help compile_commands
all: $(BINS)

help:
	@echo 'make                 programs into build/bin'
	@echo 'make check           installs what the tests need and passes them (as root)'
	@echo '  one part of it:    check-lint check-unit check-proto check-install check-grpc check-bats'
	@echo '                     check-critest check-syscalls check-syscall-rows check-vm-sample'
	@echo '                     check-fuzz-sample check-san'
	@echo '  besides:           check-kubelet, check-vm (cgroup v2, KVM), check-fuzz (a minute each)'
	@echo '                     check-locks (the sentry checks the order of its locks)'
	@echo 'make bench           all benchmarks          make bench-pod    pods beside containerd'
	@echo 'make bench-sentry    the sentry beside runsc and native    make bench-vm    the micro-VM beside QEMU'
	@echo 'make install         DESTDIR= PREFIX=/usr/local'
	@echo 'SAN=address,undefined or SAN=thread: a sanitizer build in build/san, build/tsan'

# --- rules ------------------------------------------------------------------------------------

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: %.proto
	$(call say,PROTOC,$<)mkdir -p $(B)/gen && protoc-c --c_out=$(B)/gen $<

$(B)/obj/runtimes/sentry/kern/lock.o: CFLAGS_ALL += $(if $(LOCK_DEBUG),-DLOCK_DEBUG)
$(B)/obj/gen/%.o: $(B)/gen/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) -w -MMD -MP -c $< -o $@

$(B)/obj/%.o: %.c | $(GEN_H)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

define archive
$(call lib,$(1)): $(call objs,$(1))
	$$(call say,AR,$$@)mkdir -p $$(@D) && rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive,$(f))))

link = $(call say,LD,$@)mkdir -p $(@D) && $(CC) $(CFLAGS_ALL) $(1) $(filter %.o,$^) -Wl,--start-group \
	$(filter %.a,$^) -Wl,--end-group $(2) -o $@

$(B)/bin/bulkheadd: $(B)/obj/cri/main.o $(call libs,$(DAEMON_FOLDERS))
	$(call link,$(LDFLAGS_ALL),$(LIBS_DAEMON))
$(B)/bin/bulkhead: $(B)/obj/cri/tool/main.o $(call libs,cri/tool $(DAEMON_FOLDERS))
	$(call link,$(LDFLAGS_ALL),$(LIBS_DAEMON))
$(B)/bin/bulkhead-monitor: $(B)/obj/runtimes/monitor/main.o \
		$(call libs,runtimes/monitor runtimes/oci runtimes/cgroup base)
	$(call link,$(LDFLAGS_ALL) $(STATIC),-lprotobuf-c)
# alone in its root file system: no sanitizer's library finds a place there
$(B)/bin/bulkhead-pause $(B)/obj/runtimes/pause/main.o: \
	CFLAGS_ALL := $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS_ALL))
$(B)/bin/bulkhead-pause: $(B)/obj/runtimes/pause/main.o
	$(call link,$(filter-out -fsanitize%,$(LDFLAGS_ALL)) -static-pie,)
$(B)/bin/bulkhead-fetch: $(B)/obj/image/fetch/main.o $(B)/obj/image/manifest.o \
		$(call libs,image/fetch base)
	$(call link,$(LDFLAGS_ALL),$(LIBS_FETCH))
$(B)/bin/bulkhead-unpack: $(B)/obj/image/unpack/main.o $(call libs,image/unpack base)
	$(call link,$(LDFLAGS_ALL),$(LIBS_UNPACK))

$(B)/bin/bulkhead-gofer: $(B)/obj/runtimes/gofer/main.o $(call libs,runtimes/gofer base)
	$(call link,$(LDFLAGS_ALL) $(STATIC),-lpthread)

# The stub runs inside guest processes: no libc, no vector registers, nothing to relocate.
STUB_C   := $(wildcard runtimes/sentry/stub/*.c) runtimes/sentry/platform/filter.c
STUB_O   := $(STUB_C:%.c=$(B)/obj/stub/%.o) $(patsubst %.S,$(B)/obj/stub/%.o,$(wildcard runtimes/sentry/stub/*.S))
STUB_CFLAGS := -std=gnu2x -g -O2 -ffreestanding -fPIE -fvisibility=hidden -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-builtin \
	-fno-jump-tables -ffunction-sections $(WARN) -I.

$(B)/obj/stub/%.o: %.c
	$(call say,CC,$< (stub))mkdir -p $(@D) && $(CC) $(STUB_CFLAGS) -MMD -MP -c $< -o $@
$(B)/obj/stub/%.o: %.S
	$(call say,AS,$<)mkdir -p $(@D) && $(CC) -g -I. -c $< -o $@
$(B)/bin/bulkhead-stub: $(STUB_O)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) -nostdlib -static-pie -Wl,-z,noseparate-code \
		-Wl,-z,norelro -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--gc-sections \
		-Wl,--strip-debug $^ -o $@ # each container has a copy in memory
	$(Q)! readelf -rW $@ | grep R_X86_64 # it moves itself

$(B)/bin/bulkhead-sentry: $(B)/obj/runtimes/sentry/main.o \
		$(call libs,$(SENTRY_FOLDERS) runtimes/gofer runtimes/cgroup runtimes/bundle base)
	$(call link,$(LDFLAGS_ALL) $(STATIC),-lyajl_s -lseccomp -lcrypto -lpthread)
$(B)/bin/bulkhead-vmm: $(patsubst %.c,$(B)/obj/%.o,$(wildcard runtimes/microvm/*.c)) $(call libs,$(VMM_FOLDERS) base)
	$(call link,$(LDFLAGS_ALL) $(STATIC) -Wl$(comma)-z$(comma)noseparate-code,-lyajl_s -lpthread)
$(B)/bin/bulkhead-jailer: $(B)/obj/runtimes/microvm/jail/main.o \
		$(call libs,runtimes/microvm/jail runtimes/cgroup base)
	$(call link,$(LDFLAGS_ALL) $(STATIC) -Wl$(comma)-z$(comma)noseparate-code,-lpthread)
# as the stub: without a libc
STANDIN := $(B)/obj/stub/runtimes/sentry/standin
$(STANDIN)/main.o $(STANDIN)/socket_helper.o: STUB_CFLAGS += -DBULKHEAD_VERSION='"$(VERSION)"'
$(B)/bin/bulkhead-stand-in: $(STANDIN)/main.o
$(B)/bin/bulkhead-socket-helper: $(STANDIN)/socket_helper.o $(B)/obj/stub/runtimes/sentry/net/helper_rules.o
$(B)/bin/bulkhead-stand-in $(B)/bin/bulkhead-socket-helper:
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) -nostdlib -static-pie -Wl,-z,noseparate-code \
		-Wl,-z,noexecstack -Wl,--build-id=none $^ -o $@
	$(Q)! readelf -rW $@ | grep R_X86_64 # nobody would relocate it

# --- unit tests: tests/unit/<source path>_test.c, one program each, TAP on stdout ---------------

UNIT_C    := $(shell find tests/unit -name '*_test.c' 2>/dev/null)
UNIT_BINS := $(UNIT_C:tests/unit/%.c=$(B)/tests/unit/%)

$(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(call libs,$(FOLDERS))
	$(call link,$(LDFLAGS_ALL),$(LIBS_ALL))
.PRECIOUS: $(B)/obj/%.o $(B)/obj/gen/%.o $(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h

.PHONY: check-unit
check-unit: $(BINS) $(UNIT_BINS)
	$(Q)BIN=$(abspath $(B))/bin hack/run-units $(UNIT_BINS)

# --- more targets stand in their own files ------------------------------------------------------

-include hack/check.mk tests/fuzz/fuzz.mk tests/syscalls/syscalls.mk tests/bench/bench.mk manifests/install.mk
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

clean:
	rm -rf build
