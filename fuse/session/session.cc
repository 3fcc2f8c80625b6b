#include "fuse/session/session.h"

#include <algorithm>
#include <cstring>

#include "format/base/error.h"
#include "fuse/session/captured_stderr.h"

namespace backstitch::mount {
namespace {

class Arguments {
 public:
  Arguments() { add("backstitchfs"); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() { fuse_opt_free_args(&arguments_); }

  void add(const std::string& argument) {
    if (fuse_opt_add_arg(&arguments_, argument.c_str()) != 0)
      throw std::bad_alloc();
  }
  fuse_args* get() { return &arguments_; }

 private:
  fuse_args arguments_{};
};

// libfuse splits options at commas; a backslash keeps one.
std::string escaped(const std::string& option) {
  std::string text;
  for (const char c : option) {
    if (c == ',' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string option_list(const std::filesystem::path& repository,
                        const MountOptions& options) {
  std::string list = options.writable ? "rw" : "ro";
  list += ",nosuid,nodev,subtype=backstitchfs,";
  list += escaped("fsname=" + repository.string());
  if (options.allow_other) list += ",allow_other";
  for (const std::string& option : options.passed_on)
    list += "," + escaped(option);
  return list;
}

}  // namespace

void Session::Destroy::operator()(fuse_session* session) const {
  fuse_session_destroy(session);
}

Session::Session(Driver& driver, const std::filesystem::path& repository,
                 const MountOptions& options) {
  Arguments arguments;
  arguments.add("-o");
  arguments.add(option_list(repository, options));
  const fuse_lowlevel_ops operations = driver_operations();
  CapturedStderr captured;
  session_.reset(fuse_session_new(arguments.get(), &operations,
                                  sizeof operations, &driver));
  const std::string said = captured.finish();
  if (!session_) {
    throw Error(ErrorKind::kUsage,
                "libfuse does not take the mount options: " + said);
  }
  if (fuse_set_signal_handlers(session_.get()) != 0)
    throw Error(ErrorKind::kFailed, "cannot install signal handlers");
}

Session::~Session() {
  unmount();
  fuse_remove_signal_handlers(session_.get());
}

void Session::mount(const std::filesystem::path& mount_point) {
  CapturedStderr captured;
  const int result = fuse_session_mount(session_.get(), mount_point.c_str());
  const std::string said = captured.finish();
  if (result != 0) {
    throw Error(ErrorKind::kFailed, "cannot mount on " + mount_point.string() +
                                        (said.empty() ? "" : ": " + said));
  }
  mounted_ = true;
}

void Session::loop(unsigned threads) {
  struct FreeConfig {
    void operator()(fuse_loop_config* config) const {
      fuse_loop_cfg_destroy(config);
    }
  };
  const std::unique_ptr<fuse_loop_config, FreeConfig> config(
      fuse_loop_cfg_create());
  if (!config) throw std::bad_alloc();
  fuse_loop_cfg_set_clone_fd(config.get(), 1);
  fuse_loop_cfg_set_max_threads(config.get(), threads);
  fuse_loop_cfg_set_idle_threads(config.get(), threads);
  // Above 0 it is the signal that ended the loop.
  const int result = fuse_session_loop_mt(session_.get(), config.get());
  if (result < 0) {
    throw Error(ErrorKind::kFailed,
                std::string("lost the connection to the kernel: ") +
                    std::strerror(-result));
  }
}

void Session::unmount() {
  if (!mounted_) return;
  fuse_session_unmount(session_.get());
  mounted_ = false;
}

}  // namespace backstitch::mount
