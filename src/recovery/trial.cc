#include "src/recovery/trial.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "format/base/error.h"
#include "src/base/stop.h"
#include "src/libvirt/connection.h"
#include "src/recovery/boot.h"
#include "src/recovery/console_log.h"
#include "src/recovery/line_pattern.h"
#include "src/recovery/screenshot.h"
#include "src/recovery/trial_xml.h"

namespace backstitch::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLook{100};
constexpr milliseconds kAsk{1000};
constexpr int kAgentPatienceSeconds = 2;

// What a kernel says that has given up; nothing comes after it.
constexpr char kPanic[] = "Kernel panic - not syncing";

milliseconds since(steady_clock::time_point begin) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
}

std::string seconds_text(std::chrono::seconds time) {
  return std::to_string(time.count()) + " s";
}

// Watches one machine until it has come up or will not any more.
class Watch {
 public:
  Watch(const Session& session, Connection& connection, bool had_agent,
        const TrialRequest& request, TrialResult& result)
      : connection_(connection),
        uuid_(session.uuid),
        had_agent_(had_agent),
        limit_(request.limit),
        result_(result) {
    if (!request.expect.empty()) expect_.emplace(request.expect);
    for (const ConsoleFile& file : console_files(session.xml))
      consoles_.emplace_back(file.name, file.path);
  }

  void run() {
    const auto begin = steady_clock::now();
    try {
      Guest guest(connection_, uuid_);
      watch(guest);
      result_.wait = since(begin);
      take_picture(guest);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) throw;
      // What it said last counts, if it ended as it should.
      look_at_consoles();
      decide("it was switched off, or QEMU failed");
      result_.wait = since(begin);
      result_.no_screenshot = "it was not there any more";
    }
    look_at_consoles();
    for (const ConsoleLog& console : consoles_)
      result_.consoles.push_back({console.name(), console.tail()});
  }

 private:
  void watch(Guest& guest) {
    const auto begin = steady_clock::now();
    const auto end = begin + limit_;
    auto next_question = begin + kAsk;
    while (!decided_) {
      check_stop();
      const bool late = steady_clock::now() >= end;
      const bool ask = late || steady_clock::now() >= next_question;
      const std::string trouble = ask ? state_trouble(guest) : "";
      look_at_consoles();
      if (!decided_ && !trouble.empty()) decide(trouble);
      if (!decided_ && ask) ask_agent(guest);
      if (!decided_ && late) time_is_up();
      if (ask) next_question = steady_clock::now() + kAsk;
      if (!decided_) std::this_thread::sleep_for(kLook);
    }
  }

  void take_picture(Guest& guest) {
    try {
      result_.screenshot = take_screenshot(guest);
    } catch (const Error& error) {
      result_.no_screenshot = error.what();
    }
  }

  void decide(TrialEvidence evidence, const std::string& reason) {
    if (decided_) return;
    decided_ = true;
    result_.evidence = evidence;
    result_.reason = reason;
  }
  void decide(const std::string& failure) {
    decide(TrialEvidence::kNone, failure);
  }

  // Why it will not come up any more; empty: it may.
  static std::string state_trouble(Guest& guest) {
    switch (guest.state()) {
      case VIR_DOMAIN_CRASHED:
        return "its guest crashed";
      case VIR_DOMAIN_PAUSED:
        return "it was paused: one of its disks has failed, perhaps";
      case VIR_DOMAIN_SHUTDOWN:
      case VIR_DOMAIN_SHUTOFF:
        return "it was switched off, or QEMU failed";
      default:
        return "";
    }
  }

  void look_at_consoles() {
    for (ConsoleLog& console : consoles_) {
      console.read([&](const std::string& line) {
        if (expect_ && expect_->matches(line)) {
          decide(TrialEvidence::kConsole,
                 console.name() + " said \"" + line + "\"");
        } else if (line.find(kPanic) != std::string::npos) {
          decide("its kernel panicked: " + line);
        }
        return false;
      });
    }
  }

  void ask_agent(Guest& guest) {
    if (expect_) return;
    if (guest.xml().find("name='org.qemu.guest_agent.0' state='connected'") ==
        std::string::npos) {
      return;
    }
    virDomainAgentSetResponseTimeout(guest.get(), kAgentPatienceSeconds, 0);
    long long seconds = 0;
    unsigned nanoseconds = 0;
    if (virDomainGetTime(guest.get(), &seconds, &nanoseconds, 0) == 0)
      decide(TrialEvidence::kAgent, "the guest's agent answered");
  }

  void time_is_up() {
    const std::string within = " within " + seconds_text(limit_);
    if (expect_) return decide("no console said what was expected" + within);
    if (had_agent_) {
      return decide(
          "the guest's agent, which froze it for the backup, did not answer" +
          within);
    }
    decide(TrialEvidence::kRunning, "it still ran after " +
                                        seconds_text(limit_) +
                                        "; nothing in it was asked");
  }

  Connection& connection_;
  const std::string uuid_;
  const bool had_agent_;
  const std::chrono::seconds limit_;
  std::optional<LinePattern> expect_;
  std::vector<ConsoleLog> consoles_;
  TrialResult& result_;
  bool decided_ = false;
};

// Those whose maker is gone; one that is still at work holds its lock.
void sweep_left_overs() {
  for (const Session& session : all_sessions()) {
    if (!session.throw_away) continue;
    try {
      const SessionLock lock(session.name);
      spdlog::info("removing {}, which an earlier run left", session.name);
      discard_session(lock, session.name);
      lock.remove_file();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kBusy)
        spdlog::warn("{}: {}", session.name, error.what());
    }
  }
}

// Names have at most 200 bytes of UTF-8: what is cut off begins a character.
std::string trial_name(const std::string& domain) {
  size_t end = std::min<size_t>(domain.size(), 180);
  while (end < domain.size() && (domain[end] & '\xc0') == '\x80') --end;
  return domain.substr(0, end) + "-verify-" + new_uuid().substr(0, 8);
}

// Its session, from before anything is made until everything is gone.
class Trial {
 public:
  explicit Trial(const std::string& domain)
      : name_(trial_name(domain)), lock_(name_) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() {
    if (finished_) return;
    try {
      finish();
    } catch (const Error& error) {
      spdlog::error("{}", error.what());
    }
  }

  void finish() {
    finished_ = true;
    try {
      discard_session(lock_, name_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound) {
        throw Error(error.kind(), std::string(error.what()) +
                                      "; `backstitch discard " + name_ +
                                      "` removes what is left");
      }
    }
    lock_.remove_file();
  }

  // Empty when it could not be started; `result` says why then.
  std::optional<Session> start(const format::Repository& repository,
                               const format::Point& point,
                               const std::string& uri,
                               const TrialRequest& request,
                               TrialResult& result) {
    BootRequest boot;
    boot.name = name_;
    boot.storage = request.storage;
    boot.network = BootNetwork::kNone;
    boot.throw_away = true;
    try {
      BootResult booted = boot_point(lock_, repository, point, uri, boot);
      result.start = booted.took;
      result.notes = std::move(booted.notes);
      return std::move(booted.session);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kFailed) throw;
      result.reason = error.what();
      result.no_screenshot = "it was not started";
      return std::nullopt;
    }
  }

 private:
  const std::string name_;
  const SessionLock lock_;
  bool finished_ = false;
};

}  // namespace

TrialResult try_point(const format::Repository& repository,
                      const format::Point& point, const std::string& uri,
                      const TrialRequest& request) {
  if (!request.expect.empty()) LinePattern{request.expect};
  Connection connection(uri);
  sweep_left_overs();
  TrialResult result;
  result.hypervisor = connection.hypervisor_version();
  Trial trial(point.manifest().domain);
  const auto session = trial.start(repository, point, uri, request, result);
  if (session) {
    spdlog::info("{} runs; waiting for it to come up", session->name);
    const bool had_agent = point.manifest().consistency == "agent-frozen";
    Watch(*session, connection, had_agent, request, result).run();
  }
  trial.finish();
  return result;
}

}  // namespace backstitch::engine
