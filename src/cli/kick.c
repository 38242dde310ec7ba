/* `holdfast kick`: closes the connection of one device. */
#include "cli/remote.h"

#include <stdlib.h>

static const char help[] =
    "usage: holdfast kick ID [OPTIONS]    close the connection of a device\n"
    "\n"
    "Its messages stay, nothing forbids it to come back: most devices do so at once.\n"
    "\n"
    "  ID                     as `holdfast ls` shows it, or with its protocol in "
    "front:\n"
    "                         ttms/00000002\n"
    "      --protocol NAME    which one, if the id exists in several "
    "protocols\n" REMOTE_HELP;

static int kick(struct remote *c, const char *id)
{
    struct api_path path = remote_device_path(c, id, "connection");
    json_t *answer;
    int rc = api_delete(c->api, &path, &answer);

    if (rc < 0)
        return remote_failed(c, rc);
    json_decref(answer);
    if (c->output != OUTPUT_JSON) /* the API says nothing then */
        printf("closed the connection of %s\n", table_safe(slice_of(id, strlen(id))));
    return EXIT_SUCCESS;
}

int cli_kick(int argc, char **argv)
{
    return remote_about_one(argc, argv, help, kick);
}
