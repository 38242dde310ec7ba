#include "supervisor/identity.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int identity_find(const char *user, const char *where, struct identity *out)
{
    struct passwd *entry;

    *out = (struct identity){.uid = geteuid(), .gid = getegid()};
    if (!user) {
        if (out->uid == 0)
            log_warn(SUPERVISOR,
                     "holdfast runs as=root: set `user`, so that the worker "
                     "need not (capabilities are dropped all the same)");
        return OK;
    }
    if (!(entry = getpwnam(user))) {
        log_error(
            SUPERVISOR,
            "user %s unknown at=%s: create it with `adduser --system --group %s`, or "
            "name another",
            user, where, user);
        return ERR_NOTFOUND;
    }
    if (out->uid != 0 && out->uid != entry->pw_uid) {
        log_error(
            SUPERVISOR,
            "user %s refused at=%s: only root may become another user; start as root, "
            "or as %s, or remove `user`",
            user, where, user);
        return ERR_INVALID;
    }
    out->user = user;
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return OK;
}

/* What a program that we would start could get back. Needs a capability, so it comes
 * while we still have it; not having it means that there is little to drop. */
static void drop_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static int become(const struct identity *id)
{
    if (geteuid() != 0)
        return 0;
    if (initgroups(id->user, id->gid) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
        setresuid(id->uid, id->uid, id->uid) < 0)
        return -1;
    return 0;
}

int identity_assume(const struct identity *id)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};

    drop_bounding_set();
    if ((id->user && become(id) < 0) || syscall(SYS_capset, &header, none) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        log_error(SUPERVISOR,
                  "worker refuses to serve: privileges cannot be dropped: %s",
                  strerror(errno));
        return ERR_INVALID;
    }
    return OK;
}
