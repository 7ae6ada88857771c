/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test guest can do, by file.
 */
#ifndef TESTS_VM_GUEST_INIT_H
#define TESTS_VM_GUEST_INIT_H

/* guest_hostile() - malformed rings for the first @devices virtio devices; no driver is loaded. */
void guest_hostile(int devices);

/* guest_vsock() - serve ports 52 to 54, then talk to the host's ports 60 and 61. */
void guest_vsock(void);

#endif
