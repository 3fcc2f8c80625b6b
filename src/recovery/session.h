// A machine that was booted from a point and is not yet on its final storage.
//
// What is needed to go on with it after anything, a reboot of the host among
// it, stands in one file, written anew (and synced) before and after each step.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "format/base/file.h"
#include "format/repository/manifest.h"

namespace backstitch::engine {

// Where the guest's newest bytes of a disk are. Only the file named here may
// become the disk again; whoever moves the guest on to another one pauses it,
// changes this, and lets it go on.
enum class DiskPlace {
  kOverlay,  // overlay over the mounted point
  kCopied,   // the same; `target` holds all of the point
  kBridge,   // bridge over `target`
  kFinal,    // `target`
};

struct SessionDisk {
  std::string name;
  DiskPlace place = DiskPlace::kOverlay;
  std::string image;    // in the mounted tree, raw
  std::string overlay;  // qcow2 over `image`
  std::string target;   // final storage
  std::string bridge;   // qcow2 over `target`
  std::string format;   // of `target`
};

struct Session {
  std::string name;  // of the domain and of the session
  std::string uuid;
  std::string uri;
  std::string repository;
  std::string domain;  // in the repository
  uint32_t point = 0;
  std::string storage;
  std::string mount_point;
  format::Time started{};
  std::string xml;  // of the domain on its final storage
  // Started only to see whether it comes up: it is nobody's to keep.
  bool throw_away = false;
  std::vector<SessionDisk> disks;
  std::vector<std::string> files;  // made for it beside the disks

  // Whether a disk still needs the mounted point.
  bool needs_mount() const;
};

// A random one (RFC 4122, version 4).
std::string new_uuid();

// Throws kUsage for one that is to be thrown away.
void refuse_throw_away(const Session& session);

// Writes it durably, in place of what was there.
void save_session(const Session& session);
// Throws kNotFound, kDamaged.
Session load_session(const std::string& name);
std::vector<Session> all_sessions();
void remove_session(const std::string& name);

// Keeps two programs from working on one session. Throws kBusy.
class SessionLock {
 public:
  explicit SessionLock(const std::string& name);
  // Takes the lock's file away, for a name that will not be used again.
  void remove_file() const;

 private:
  File file_;
};

}  // namespace backstitch::engine
