#include "src/recovery/session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "format/base/error.h"
#include "format/repository/names.h"
#include "format/repository/sealed_json.h"
#include "src/base/state.h"

namespace backstitch::engine {
namespace {

namespace fs = std::filesystem;
using format::reading_json;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr char kSuffix[] = ".json";

std::string to_string(DiskPlace place) {
  switch (place) {
    case DiskPlace::kOverlay:
      return "overlay";
    case DiskPlace::kCopied:
      return "copied";
    case DiskPlace::kBridge:
      return "bridge";
    case DiskPlace::kFinal:
      return "final";
  }
  return "overlay";
}

DiskPlace parse_place(const std::string& word) {
  for (const auto place : {DiskPlace::kOverlay, DiskPlace::kCopied,
                           DiskPlace::kBridge, DiskPlace::kFinal}) {
    if (to_string(place) == word) return place;
  }
  throw Error(ErrorKind::kDamaged, "unknown place of a disk: " + word);
}

ordered_json to_json(const Session& session) {
  auto disks = ordered_json::array();
  for (const SessionDisk& disk : session.disks) {
    disks.push_back({{"name", disk.name},
                     {"place", to_string(disk.place)},
                     {"image", disk.image},
                     {"overlay", disk.overlay},
                     {"target", disk.target},
                     {"bridge", disk.bridge},
                     {"format", disk.format}});
  }
  return {{"format", 1},
          {"incompatible", ordered_json::array()},
          {"name", session.name},
          {"uuid", session.uuid},
          {"uri", session.uri},
          {"repository", session.repository},
          {"domain", session.domain},
          {"point", session.point},
          {"storage", session.storage},
          {"mount_point", session.mount_point},
          {"started", format::format_time(session.started)},
          {"xml", session.xml},
          {"throw_away", session.throw_away},
          {"disks", disks},
          {"files", session.files}};
}

Session from_json(const json& document) {
  Session session;
  session.name = document.at("name");
  session.uuid = document.at("uuid");
  session.uri = document.at("uri");
  session.repository = document.at("repository");
  session.domain = document.at("domain");
  session.point = document.at("point");
  session.storage = document.at("storage");
  session.mount_point = document.at("mount_point");
  session.started = format::parse_time(document.at("started"));
  session.xml = document.at("xml");
  session.throw_away = document.value("throw_away", false);
  for (const json& entry : document.at("disks")) {
    session.disks.push_back({.name = entry.at("name"),
                             .place = parse_place(entry.at("place")),
                             .image = entry.at("image"),
                             .overlay = entry.at("overlay"),
                             .target = entry.at("target"),
                             .bridge = entry.at("bridge"),
                             .format = entry.at("format")});
  }
  session.files = document.at("files").get<std::vector<std::string>>();
  return session;
}

fs::path sessions_directory() { return state_directory() / "sessions"; }

fs::path session_path(const std::string& name) {
  format::check_domain_name(name);
  return sessions_directory() / (name + kSuffix);
}

void make_sessions_directory() {
  std::error_code code;
  fs::create_directories(sessions_directory(), code);
  if (code) {
    throw system_error(code.value(),
                       "create directory " + sessions_directory().string());
  }
  fs::permissions(sessions_directory(), fs::perms::owner_all, code);
}

}  // namespace

bool Session::needs_mount() const {
  return std::ranges::any_of(disks, [](const SessionDisk& disk) {
    return disk.place == DiskPlace::kOverlay ||
           disk.place == DiskPlace::kCopied;
  });
}

std::string new_uuid() {
  std::array<std::byte, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorKind::kFailed, "cannot get random bytes");
  }
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text = to_hex(ByteView(bytes));
  for (const size_t at : {8, 13, 18, 23}) text.insert(at, "-");
  return text;
}

void refuse_throw_away(const Session& session) {
  if (!session.throw_away) return;
  throw Error(ErrorKind::kUsage,
              session.name +
                  " was started by `verify --boot`, to see whether it comes "
                  "up: `backstitch discard " +
                  session.name + "` removes it");
}

void save_session(const Session& session) {
  make_sessions_directory();
  const fs::path path = session_path(session.name);
  const fs::path fresh = path.string() + ".new";
  remove_tree(fresh);
  write_new_file(fresh, format::seal(to_json(session)));
  rename_path(fresh, path, true);
  sync_directory(path.parent_path());
}

Session load_session(const std::string& name) {
  const fs::path path = session_path(name);
  std::string text;
  try {
    text = read_text(path);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;
    throw Error(ErrorKind::kNotFound,
                "no machine " + format::printable(name) +
                    " is being recovered; see `backstitch sessions`");
  }
  try {
    return reading_json([&] { return from_json(format::unseal(text)); });
  } catch (const Error& error) {
    throw add_context(error, path.string());
  }
}

std::vector<Session> all_sessions() {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(sessions_directory(), code), end;
       !code && entry != end; entry.increment(code)) {
    if (entry->path().extension() == kSuffix)
      names.push_back(entry->path().stem());
  }
  std::ranges::sort(names);
  std::vector<Session> sessions;
  sessions.reserve(names.size());
  for (const std::string& name : names) {
    try {
      sessions.push_back(load_session(name));
    } catch (const Error& error) {
      // Somebody has ended it meanwhile.
      if (error.kind() != ErrorKind::kNotFound) throw;
    }
  }
  return sessions;
}

void remove_session(const std::string& name) {
  remove_tree(session_path(name));
  remove_tree(session_path(name).string() + ".new");
  sync_directory(sessions_directory());
}

SessionLock::SessionLock(const std::string& name) {
  make_sessions_directory();
  format::check_domain_name(name);
  file_ = File::open(sessions_directory() / (name + ".lock"), O_RDWR | O_CREAT);
  if (::flock(file_.fd(), LOCK_EX | LOCK_NB) == 0) return;
  if (errno != EWOULDBLOCK) throw system_error(errno, "lock " + name);
  throw Error(ErrorKind::kBusy, "somebody else is working on " +
                                    format::printable(name) + " just now");
}

void SessionLock::remove_file() const { remove_tree(file_.path()); }

}  // namespace backstitch::engine
