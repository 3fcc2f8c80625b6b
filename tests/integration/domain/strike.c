// Preloaded into backstitch: sends it a signal at a call that a test names.
//   BACKSTITCH_STRIKE="virDomainBackupBegin after 1 9"
// is SIGKILL when the first such call has returned. SIGSTOP holds it there, for
// the test to do something in that very moment. virDomainBlockCopy with signal
// 0 is refused.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

static char where_call[64], where_side[16];
static int where_count, which_signal;
static atomic_int count;

__attribute__((constructor)) static void begin(void) {
  const char* text = getenv("BACKSTITCH_STRIKE");
  if (text && sscanf(text, "%63s %15s %d %d", where_call, where_side,
                     &where_count, &which_signal) != 4)
    abort();
  // Not for the programs that it starts.
  unsetenv("LD_PRELOAD");
  unsetenv("BACKSTITCH_STRIKE");
}

static void strike(const char* call, const char* side) {
  const int kept = errno;
  if (!strcmp(call, where_call) && !strcmp(side, where_side) &&
      atomic_fetch_add(&count, 1) + 1 == where_count)
    kill(getpid(), which_signal);
  errno = kept;
}

#define AROUND(type, name, parameters, arguments) \
  type name parameters {                          \
    type(*real) parameters;                       \
    *(void**)&real = dlsym(RTLD_NEXT, #name);     \
    strike(#name, "before");                      \
    type result = real arguments;                 \
    strike(#name, "after");                       \
    return result;                                \
  }

AROUND(int, flock, (int fd, int how), (fd, how))
AROUND(int, renameat2,
       (int from_fd, const char* from, int to_fd, const char* to,
        unsigned flags),
       (from_fd, from, to_fd, to, flags))
AROUND(int, virDomainListAllCheckpoints,
       (virDomainPtr domain, virDomainCheckpointPtr** list, unsigned flags),
       (domain, list, flags))
AROUND(int, virDomainBackupBegin,
       (virDomainPtr domain, const char* backup, const char* checkpoint,
        unsigned flags),
       (domain, backup, checkpoint, flags))
AROUND(int, virDomainAbortJob, (virDomainPtr domain), (domain))
AROUND(int, virDomainCheckpointDelete,
       (virDomainCheckpointPtr checkpoint, unsigned flags), (checkpoint, flags))
AROUND(char*, virDomainCheckpointGetXMLDesc,
       (virDomainCheckpointPtr checkpoint, unsigned flags), (checkpoint, flags))
AROUND(int, virDomainFSFreeze,
       (virDomainPtr domain, const char** paths, unsigned n, unsigned flags),
       (domain, paths, n, flags))
AROUND(int, virDomainFSThaw,
       (virDomainPtr domain, const char** paths, unsigned n, unsigned flags),
       (domain, paths, n, flags))
AROUND(int, nbd_connect_unix, (struct nbd_handle * handle, const char* path),
       (handle, path))
AROUND(int64_t, nbd_aio_pread,
       (struct nbd_handle * handle, void* buffer, size_t size, uint64_t offset,
        nbd_completion_callback done, uint32_t flags),
       (handle, buffer, size, offset, done, flags))
AROUND(virDomainPtr, virDomainCreateXML,
       (virConnectPtr connection, const char* xml, unsigned flags),
       (connection, xml, flags))
AROUND(virDomainPtr, virDomainDefineXML,
       (virConnectPtr connection, const char* xml), (connection, xml))
AROUND(int, virDomainDestroy, (virDomainPtr domain), (domain))
AROUND(int, umount2, (const char* path, int flags), (path, flags))
AROUND(int, virDomainBlockPull,
       (virDomainPtr domain, const char* disk, unsigned long bandwidth,
        unsigned flags),
       (domain, disk, bandwidth, flags))
AROUND(int, virDomainBlockCommit,
       (virDomainPtr domain, const char* disk, const char* base,
        const char* top, unsigned long bandwidth, unsigned flags),
       (domain, disk, base, top, bandwidth, flags))
AROUND(int, virDomainBlockJobAbort,
       (virDomainPtr domain, const char* disk, unsigned flags),
       (domain, disk, flags))

static int block_copy(virDomainPtr domain, const char* disk, const char* xml,
                      virTypedParameterPtr parameters, int n, unsigned flags) {
  if (!strcmp(where_call, "virDomainBlockCopy") && which_signal == 0) return -1;
  int (*real)(virDomainPtr, const char*, const char*, virTypedParameterPtr, int,
              unsigned);
  *(void**)&real = dlsym(RTLD_NEXT, "virDomainBlockCopy");
  return real(domain, disk, xml, parameters, n, flags);
}

int virDomainBlockCopy(virDomainPtr domain, const char* disk, const char* xml,
                       virTypedParameterPtr parameters, int n, unsigned flags) {
  strike("virDomainBlockCopy", "before");
  const int result = block_copy(domain, disk, xml, parameters, n, flags);
  strike("virDomainBlockCopy", "after");
  return result;
}
