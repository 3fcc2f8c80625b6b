// Files and directories in what is mounted.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <map>
#include <thread>

#include "format/base/file.h"
#include "src/base/stop.h"
#include "src/files/appliance.h"

namespace backstitch::engine {

namespace {

// Names in one call: what libguestfs hands on at once.
constexpr size_t kBulk = 1000;

GuestFile file_of(const struct guestfs_statns& stat, std::string name) {
  GuestFile file;
  file.path = std::move(name);
  file.device = static_cast<uint64_t>(stat.st_dev);
  file.inode = static_cast<uint64_t>(stat.st_ino);
  file.mode = static_cast<mode_t>(stat.st_mode);
  file.links = static_cast<uint64_t>(stat.st_nlink);
  file.uid = static_cast<uint64_t>(stat.st_uid);
  file.gid = static_cast<uint64_t>(stat.st_gid);
  file.size_bytes = static_cast<uint64_t>(stat.st_size);
  file.modified = {stat.st_mtime_sec, stat.st_mtime_nsec};
  file.changed = {stat.st_ctime_sec, stat.st_ctime_nsec};
  return file;
}

// Reads names, each ended by a NUL, from a descriptor to its end.
std::vector<std::string> read_names(int fd) {
  std::vector<std::string> names;
  std::string part;
  std::vector<char> buffer(64 << 10);
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(errno, "read names");
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[static_cast<size_t>(i)] != '\0') {
        part += buffer[static_cast<size_t>(i)];
      } else {
        names.push_back(std::move(part));
        part.clear();
      }
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// What follows the end of an archive (tar fills up its last record) is no
// failure of the one who writes it.
void drain(int fd) {
  std::vector<char> buffer(64 << 10);
  ssize_t got = 0;
  do {
    got = ::read(fd, buffer.data(), buffer.size());
  } while (got > 0 || (got < 0 && errno == EINTR));
}

}  // namespace

template <typename Call>
void Appliance::stream(const std::string& what, const Reader& reader,
                       Call&& call) {
  check_stop();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw system_error(errno, "make a pipe");
  Fd out(ends[0]);
  Fd in(ends[1]);
  const std::string target = "/dev/fd/" + std::to_string(in.get());
  std::exception_ptr failure;
  std::thread thread([&] {
    // The end of reading ends the writing.
    const Fd own = std::move(out);
    try {
      reader(own.get());
      drain(own.get());
    } catch (...) {
      failure = std::current_exception();
    }
  });
  const int done = call(target.c_str());
  in = Fd();
  thread.join();
  if (failure) std::rethrow_exception(failure);
  if (done != 0) throw guest_error(guest_.get(), what);
}

GuestFile Appliance::stat(const std::string& path) {
  const Statns found(guestfs_lstatns(guest_.get(), path.c_str()));
  if (!found) throw guest_error(guest_.get(), "look at " + path);
  GuestFile file = file_of(*found, "");
  if (S_ISLNK(file.mode)) {
    const CString target(guestfs_readlink(guest_.get(), path.c_str()));
    if (target) file.target = target.get();
  }
  return file;
}

std::string Appliance::real_path(const std::string& path) {
  const CString real(guestfs_realpath(guest_.get(), path.c_str()));
  if (!real) throw guest_error(guest_.get(), "look at " + path);
  return real.get();
}

std::vector<GuestFile> Appliance::list(const std::string& directory) {
  std::vector<std::string> names;
  stream(
      "list " + directory, [&](int fd) { names = read_names(fd); },
      [&](const char* target) {
        return guestfs_ls0(guest_.get(), directory.c_str(), target);
      });
  std::vector<GuestFile> files;
  stat_all(directory, "", names, true, files);
  return files;
}

std::vector<GuestFile> Appliance::walk(const std::string& directory,
                                       bool targets) {
  std::vector<std::string> paths;
  stream(
      "list " + directory, [&](int fd) { paths = read_names(fd); },
      [&](const char* target) {
        return guestfs_find0(guest_.get(), directory.c_str(), target);
      });
  // One call asks about files of one directory only.
  std::map<std::string, std::vector<std::string>> directories;
  for (const std::string& path : paths) {
    const size_t begin = path.starts_with("/") ? 1 : 0;
    const size_t slash = path.rfind('/');
    const bool deeper = slash != std::string::npos && slash >= begin;
    directories[deeper ? path.substr(begin, slash + 1 - begin) : ""].push_back(
        path.substr(deeper ? slash + 1 : begin));
  }
  paths = {};
  std::vector<GuestFile> files;
  for (const auto& [below, names] : directories)
    stat_all(directory, below, names, targets, files);
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

void Appliance::stat_all(const std::string& directory, const std::string& below,
                         const std::vector<std::string>& names, bool targets,
                         std::vector<GuestFile>& files) {
  const std::string place =
      below.empty() ? directory
                    : directory + (directory.ends_with("/") ? "" : "/") + below;
  const size_t first = files.size();
  for (size_t at = 0; at < names.size(); at += kBulk) {
    check_stop();
    const std::vector<std::string> some(
        names.begin() + static_cast<std::ptrdiff_t>(at),
        names.begin() +
            static_cast<std::ptrdiff_t>(std::min(at + kBulk, names.size())));
    const auto list = string_list(some);
    const StatnsList stats(
        guestfs_lstatnslist(guest_.get(), place.c_str(), list.data()));
    if (!stats || stats->len != some.size())
      throw guest_error(guest_.get(), "look at the files of " + place);
    for (uint32_t i = 0; i < stats->len; ++i) {
      if (stats->val[i].st_ino != -1)
        files.push_back(file_of(stats->val[i], some[i]));
    }
  }
  if (targets) read_targets(place, files, first);
  for (size_t i = first; i < files.size(); ++i) files[i].path.insert(0, below);
}

void Appliance::read_targets(const std::string& place,
                             std::vector<GuestFile>& files, size_t first) {
  std::vector<GuestFile*> links;
  for (size_t i = first; i < files.size(); ++i) {
    if (S_ISLNK(files[i].mode)) links.push_back(&files[i]);
  }
  for (size_t at = 0; at < links.size(); at += kBulk) {
    std::vector<std::string> names;
    for (size_t i = at; i < std::min(at + kBulk, links.size()); ++i)
      names.push_back(links[i]->path);
    const auto list = string_list(names);
    char** found =
        guestfs_readlinklist(guest_.get(), place.c_str(), list.data());
    if (found == nullptr)
      throw guest_error(guest_.get(), "read the links of " + place);
    const auto targets = take_strings(found);
    for (size_t i = 0; i < std::min(targets.size(), names.size()); ++i)
      links[at + i]->target = targets[i];
  }
}

void Appliance::read_file(const std::string& path, const Reader& reader) {
  const Statns found(guestfs_statns(guest_.get(), path.c_str()));
  if (!found) throw guest_error(guest_.get(), "read " + path);
  const auto mode = static_cast<mode_t>(found->st_mode);
  // A fifo or a device would keep the appliance waiting.
  if (!S_ISREG(mode)) {
    throw Error(ErrorKind::kUsage,
                "cannot read " + path + ": it is " +
                    (S_ISDIR(mode) ? "a directory" : "no regular file"));
  }
  stream("read " + path, reader, [&](const char* target) {
    return guestfs_download(guest_.get(), path.c_str(), target);
  });
}

void Appliance::read_tree(const std::string& directory, const Reader& reader) {
  stream("read " + directory, reader, [&](const char* target) {
    return guestfs_tar_out_opts(guest_.get(), directory.c_str(), target,
                                GUESTFS_TAR_OUT_OPTS_NUMERICOWNER, 1,
                                GUESTFS_TAR_OUT_OPTS_XATTRS, 1,
                                GUESTFS_TAR_OUT_OPTS_ACLS, 1, -1);
  });
}

std::vector<GuestView::Attribute> Appliance::attributes(
    const std::string& path) {
  const XattrList found(guestfs_lgetxattrs(guest_.get(), path.c_str()));
  if (!found) {
    // FAT has none.
    if (guestfs_last_errno(guest_.get()) == EOPNOTSUPP) return {};
    throw guest_error(guest_.get(), "read the attributes of " + path);
  }
  std::vector<Attribute> attributes;
  for (uint32_t i = 0; i < found->len; ++i) {
    const auto& one = found->val[i];
    attributes.push_back({one.attrname, {one.attrval, one.attrval_len}});
  }
  return attributes;
}

std::string Appliance::checksum(const std::string& path) {
  check_stop();
  const CString sum(guestfs_checksum(guest_.get(), "sha256", path.c_str()));
  if (!sum) throw guest_error(guest_.get(), "read " + path);
  return sum.get();
}

}  // namespace backstitch::engine
