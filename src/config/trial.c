#include "config/trial.h"
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void try_it(const char *file)
{
    FILE *nobody = fopen("/dev/null", "we");
    struct config *c = NULL;

    if (nobody && config_load(file, nobody, &c) == OK)
        config_free(&c);
    _exit(EXIT_SUCCESS);
}

bool trial_survives(const char *file, FILE *errors)
{
    pid_t pid = file ? fork() : 0, ended;
    int status = 0;

    if (!file)
        return true;
    if (pid == 0)
        try_it(file);
    do
        ended = pid < 0 ? -1 : waitpid(pid, &status, 0);
    while (ended < 0 && pid > 0 && errno == EINTR);
    if (ended < 0)
        fprintf(errors, "%s: cannot be read: %s\n", file, strerror(errno));
    else if (WIFSIGNALED(status))
        fprintf(errors,
                "%s: cannot be read: the process that tried died of signal %d "
                "(%s); is there memory enough?\n",
                file, WTERMSIG(status), strsignal(WTERMSIG(status)));
    return ended > 0 && !WIFSIGNALED(status);
}
