/* cores.h - how much of the machine is ours. */
#pragma once

/* The cores that this process may run on; at least 1. */
unsigned cores_available(void);
