/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input for the guest's serial port.
 */
#ifndef MICROVM_MACHINE_CONSOLE_H
#define MICROVM_MACHINE_CONSOLE_H

#include "runtimes/microvm/machine/machine.h"

/*
 * machine_console_open() - from now on what standard input brings goes to the serial port.  A
 * terminal is set raw (and set back at exit); a file or /dev/null is not read.
 */
void machine_console_open(struct machine *m);

#endif
