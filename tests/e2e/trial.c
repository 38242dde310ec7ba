/* trial.c - a service that does what a test asks it to:
 *
 *     trial [PROCESSES MAX_RESTARTS [OPTION]]
 *
 * Without PROCESSES it does not fork. */
#include <holdfast/serve.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names that the library uses inside. */
int log_write(void);
int loop_run(void);

int log_write(void)
{
    return 1;
}

int loop_run(void)
{
    return 2;
}

static int number = -1;

static void *answer_from_elsewhere(void *later)
{
    hf_later_answer(later, "later", 5);
    return NULL;
}

static void *stop_from_elsewhere(void *nothing)
{
    hf_stop();
    return nothing;
}

static void run(void *(*what)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, what, argument) == 0)
        pthread_detach(thread);
}

static void say(struct hf_request *request, const char *text)
{
    hf_answer(request, text, strlen(text));
}

static void logic(void *state, struct hf_request *request)
{
    char text[64];
    size_t size;
    const char *body = hf_request_body(request, &size);
    int n = size < sizeof(text) ? (int)size : (int)sizeof(text) - 1;

    (void)state;
    snprintf(text, sizeof(text), "%.*s", n, body);
    if (strcmp(text, "who") == 0) {
        snprintf(text, sizeof(text), "%d %d", number, (int)getpid());
        say(request, text);
    } else if (strcmp(text, "crash") == 0) {
        abort();
    } else if (strcmp(text, "fail") == 0) {
        _exit(3);
    } else if (strcmp(text, "exit") == 0) {
        _exit(0);
    } else if (strcmp(text, "hang") == 0) {
        fputs("trial hangs\n", stderr);
        for (;;)
            pause();
    } else if (strcmp(text, "later") == 0) {
        run(answer_from_elsewhere, hf_answer_later(request));
    } else if (strcmp(text, "stop") == 0) {
        run(stop_from_elsewhere, NULL);
        say(request, "stopping");
    } else {
        hf_answer(request, body, size);
    }
}

static const struct hf_service service = {HF_SERVICE_HEAD, .name = "trial",
                                          .logic = logic};

static void set_option(struct hf_options *o, const char *name)
{
    if (strcmp(name, "u16le") == 0) {
        o->length = HF_LENGTH_U16_LE;
    } else if (strcmp(name, "u32 of all") == 0) {
        o->length = HF_LENGTH_U32_BE;
        o->counts = HF_COUNTS_FRAME;
    } else if (strcmp(name, "4 digits") == 0) {
        o->digits = 4;
    } else if (strcmp(name, "lines") == 0) {
        o->length = HF_LENGTH_NONE;
        o->end = "\r\n";
        o->end_size = 2;
    } else if (strcmp(name, "debug") == 0) {
        o->log_level = HF_LOG_DEBUG;
    }
}

int main(int argc, char **argv)
{
    struct hf_options options;

    if (log_write() + loop_run() != 3)
        return 9;
    hf_options_init(&options);
    options.listen_fd = hf_listen("127.0.0.1:0");
    if (argc > 3)
        set_option(&options, argv[3]);
    if (argc > 2 && atoi(argv[1]) > 0)
        number = hf_fork_processes(atoi(argv[1]), atoi(argv[2]));
    if (hf_serve(&service, &options) == 0)
        return 0;
    perror("hf_serve");
    return 1;
}
