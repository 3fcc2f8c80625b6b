#include "fuse/session/serve.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "format/base/error.h"
#include "format/base/exit_code.h"
#include "format/sparsestream/archive.h"
#include "fuse/session/kernel_readahead.h"
#include "fuse/session/log.h"
#include "fuse/session/mount_point.h"
#include "fuse/session/session.h"
#include "fuse/session/signals.h"
#include "fuse/session/startup.h"

namespace backstitch::mount {
namespace {

namespace fs = std::filesystem;

// Every point of a chain has files that a reader may need open at once.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// By default each of the many threads keeps freed memory to itself.
void limit_memory_pools() {
#ifdef M_ARENA_MAX
  ::mallopt(M_ARENA_MAX, 2);
#endif
}

// A loop device over a file of ours makes us part of the kernel's way to free
// memory: we must not wait for that in turn. Threads inherit it; it takes
// CAP_SYS_RESOURCE, so a plain user's driver (and loop devices are root's) does
// without.
void serve_block_devices() {
#ifdef PR_SET_IO_FLUSHER
  ::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
#endif
}

fs::path canonical_repository(const std::string& repository) {
  std::error_code code;
  fs::path path = fs::canonical(repository, code);
  if (code) {
    throw system_error(code.value(), "open the repository " + repository);
  }
  return path;
}

// Pages and chunks share what the user granted: a page maps 8 MiB of disk, so
// a quarter of it is plenty.
format::CacheSizes cache_sizes(const MountOptions& options) {
  format::CacheSizes sizes;
  sizes.page_bytes = options.cache_bytes / 4;
  sizes.chunk_bytes = options.cache_bytes - sizes.page_bytes;
  return sizes;
}

TreeContext make_context(const format::Repository& repository,
                         std::optional<format::OverlayDirectory> directory,
                         const MountOptions& options) {
  TreeContext context;
  context.images = std::make_unique<ChainImageFactory>(cache_sizes(options));
  if (options.writable) {
    auto overlays = std::make_unique<Overlays>(
        std::move(context.images), repository.id(), std::move(directory));
    context.overlays = overlays.get();
    context.images = std::move(overlays);
  }
  context.catalog = make_catalog(repository, *context.images, options.points);
  if (options.writable) context.overlays->load(repository, *context.catalog);
  context.uid = ::getuid();
  context.gid = ::getgid();
  if (options.allow_other) {
    // The kernel lets everybody read then, so the modes say it.
    context.directory_mode = 0555;
    context.file_mode = 0444;
    context.writable_mode = 0666;
  }
  return context;
}

// Asks the tree for its root as any reader does; when the answer is there the
// tree can be read, and the kernel's read-ahead of the mount can be set.
void check_readable(const fs::path& mount_point, unsigned readahead_kb) {
  struct stat status {};
  if (::stat(mount_point.c_str(), &status) != 0)
    throw system_error(errno, "read " + mount_point.string() + " once mounted");
  if (readahead_kb == 0) return;
  const std::string why = set_kernel_readahead(status.st_dev, readahead_kb);
  if (!why.empty()) spdlog::debug("read-ahead stays as it is: {}", why);
}

// The body of a thread: nothing may leave it.
void announce(const fs::path& mount_point, const MountOptions& options,
              Startup& startup) noexcept {
  try {
    check_readable(mount_point, options.readahead_kb);
    startup.succeed();
  } catch (const std::exception& error) {
    startup.fail(exit_code_of(ErrorKind::kFailed), error.what());
  }
}

void mount_and_serve(const CommandLine& line, Startup& startup) {
  const MountOptions& options = line.mount;
  start_log(line);
  raise_file_limit();
  limit_memory_pools();
  if (options.writable) serve_block_devices();
  const auto repository =
      format::open_repository(canonical_repository(line.repository));
  check_fuse(options);
  const fs::path mount_point =
      prepare_mount_point(line.mount_point, repository.path(), options);
  const TreeContext context = make_context(
      repository, prepare_overlay(mount_point, repository.path(), options),
      options);
  Driver driver(context);
  Session session(driver, repository.path(), options);
  session.mount(mount_point);
  spdlog::info("{} is mounted on {}", repository.path().string(),
               mount_point.string());
  std::jthread announcer;
  {
    const BlockedSignals blocked;
    announcer = std::jthread([&] { announce(mount_point, options, startup); });
  }
  session.loop(options.threads);
  // Before the thread is joined: it may still wait for the tree's answer.
  session.unmount();
  announcer.join();
  if (context.overlays != nullptr && !context.overlays->sync_all()) {
    throw Error(ErrorKind::kFailed,
                "not all that was written is durable, see the log");
  }
  spdlog::info("{} is unmounted", mount_point.string());
}

}  // namespace

int serve(const CommandLine& line) {
  Startup startup = Startup::begin(line.foreground);
  try {
    mount_and_serve(line, startup);
    return 0;
  } catch (const Error& error) {
    startup.fail(exit_code_of(error.kind()), error.what());
    return exit_code_of(error.kind());
  } catch (const std::exception& error) {
    startup.fail(exit_code_of(ErrorKind::kFailed), error.what());
    return exit_code_of(ErrorKind::kFailed);
  }
}

}  // namespace backstitch::mount
