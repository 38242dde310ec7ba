/* gateway.h - joins the three: settings, supervisor, worker. */
#pragma once

/* What the command line says; NULL: not given. It wins over the file, also on a
 * reload. */
struct gateway_options {
    const char *file;
    const char *data_dir;
    const char *log_level;
    const char *log_topics;
};

/* Both return the process's exit status. */
int gateway_run(const struct gateway_options *options);
int gateway_check(const struct gateway_options *options);
