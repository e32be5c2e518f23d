/*
 * Copyright: (c) 2026, vmops.migration contributors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Preloaded into a lab host's libvirtd only: what lies below the folder VMOPS_LAB_SHARED_FOLDER is reported as NFS.
 *
 * libvirt decides by the file system's magic number (statfs(2), f_type) whether a disk is on shared storage and so whether a live migration is
 * safe. The lab's hosts do share that folder, but over a bind mount, which carries the magic number of the local disk. libvirt hands LD_PRELOAD
 * on to the guests' QEMU, but not the variables below, so that there everything is as it is.
 *
 * With VMOPS_LAB_MEMORY_MIB set, the daemon also sees a machine of that size: libvirt asks sysconf(3) for the node's memory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NFS_MAGIC 0x6969 /* linux/magic.h, NFS_SUPER_MAGIC */

static int is_shared(const char *path)
{
    const char *folder = getenv("VMOPS_LAB_SHARED_FOLDER");
    char resolved[PATH_MAX];
    size_t length;

    if (folder == NULL || *folder == '\0' || path == NULL || realpath(path, resolved) == NULL)
        return 0;
    length = strlen(folder);
    return strncmp(resolved, folder, length) == 0 && (resolved[length] == '/' || resolved[length] == '\0');
}

int statfs(const char *path, struct statfs *result)
{
    int (*original)(const char *, struct statfs *) = (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs");
    int status = original(path, result);

    if (status == 0 && is_shared(path))
        result->f_type = NFS_MAGIC;
    return status;
}

int statfs64(const char *path, struct statfs64 *result)
{
    int (*original)(const char *, struct statfs64 *) = (int (*)(const char *, struct statfs64 *))dlsym(RTLD_NEXT, "statfs64");
    int status = original(path, result);

    if (status == 0 && is_shared(path))
        result->f_type = NFS_MAGIC;
    return status;
}

long sysconf(int name)
{
    long (*original)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    const char *memory_mib = getenv("VMOPS_LAB_MEMORY_MIB");

    if (memory_mib != NULL && *memory_mib != '\0' && (name == _SC_PHYS_PAGES || name == _SC_AVPHYS_PAGES))
        return atol(memory_mib) * (1048576L / original(_SC_PAGESIZE));
    return original(name);
}

/* Else libvirt asks the NUMA nodes, which on some virtual machines hold less than the machine, and sysconf is never asked. */
int numa_available(void)
{
    return -1;
}
