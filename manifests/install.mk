# SPDX-License-Identifier: Apache-2.0
# make install DESTDIR= PREFIX=/usr/local
#
# bin: bulkheadd and bulkhead; libexec/bulkhead: the programs they start; share: man pages and
# the samples.  /etc is the administrator's: nothing is written there.

INSTALL     ?= install
D           := $(DESTDIR)$(PREFIX)
SAMPLES     := config.json crictl.yaml cni/10-bulkhead.conflist $(patsubst manifests/%,%,\
	$(wildcard manifests/runtimeclass/*.yaml))
HELPER_BINS := $(filter-out %/bulkheadd %/bulkhead,$(BINS))

install: $(BINS)
	$(Q)$(INSTALL) -d $(D)/bin $(D)/libexec/bulkhead $(D)/share/man/man5 $(D)/share/man/man8 \
		$(D)/lib/systemd/system
	$(Q)$(INSTALL) -m 0755 $(B)/bin/bulkheadd $(B)/bin/bulkhead $(D)/bin
	$(Q)$(INSTALL) -m 0755 $(HELPER_BINS) $(D)/libexec/bulkhead
	$(Q)$(INSTALL) -m 0644 manifests/man/*.5 $(D)/share/man/man5
	$(Q)$(INSTALL) -m 0644 manifests/man/*.8 $(D)/share/man/man8
	$(Q)sed 's,/usr/local,$(PREFIX),' manifests/systemd/bulkhead.service \
		>$(D)/lib/systemd/system/bulkhead.service
	$(Q)for f in $(SAMPLES); do \
		$(INSTALL) -D -m 0644 manifests/$$f $(D)/share/bulkhead/$$f || exit 1; done
