/* Alone in its file, so that a test without a network can have its own idea of it. */
#include "net/output.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

long output_unacked(int fd)
{
    int n;

    return ioctl(fd, SIOCOUTQ, &n) == 0 ? n : -1;
}
