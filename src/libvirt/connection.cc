#include "src/libvirt/connection.h"

#include <libvirt/virterror.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "src/base/stop.h"

namespace backstitch::engine {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// A libvirtd that is restarted is back in a second or two.
constexpr seconds kPatience{15};
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveCount = 6;

// libvirt's own loop sees connections that break and answers keep-alives. Its
// thread ends with the process.
void start_event_loop() {
  virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
  if (virInitialize() != 0 || virEventRegisterDefaultImpl() != 0)
    throw libvirt_failure("set up libvirt");
  std::thread([] {
    while (virEventRunDefaultImpl() == 0) continue;
  }).detach();
}

ErrorKind kind_of(int code) {
  switch (code) {
    case VIR_ERR_NO_DOMAIN:
    case VIR_ERR_NO_DOMAIN_CHECKPOINT:
      return ErrorKind::kNotFound;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
      return ErrorKind::kUnsupported;
    default:
      return ErrorKind::kFailed;
  }
}

std::string dotted(unsigned long version) {
  return std::to_string(version / 1000000) + "." +
         std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

bool all_digits(const std::string& text) {
  return !text.empty() &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

DomainHandle look_up(virConnectPtr connection, const std::string& name) {
  DomainHandle domain(virDomainLookupByName(connection, name.c_str()));
  if (!domain)
    domain.reset(virDomainLookupByUUIDString(connection, name.c_str()));
  if (!domain && all_digits(name))
    domain.reset(virDomainLookupByID(connection, std::atoi(name.c_str())));
  return domain;
}

}  // namespace

Error libvirt_failure(const std::string& what) {
  const virErrorPtr error = virGetLastError();
  const char* text = error != nullptr ? error->message : nullptr;
  return Error(error != nullptr ? kind_of(error->code) : ErrorKind::kFailed,
               "cannot " + what + ": " + (text != nullptr ? text : "unknown"));
}

std::string take_text(char* text, const std::string& what) {
  if (text == nullptr) throw libvirt_failure(what);
  const std::unique_ptr<char, decltype(&std::free)> owner(text, std::free);
  return text;
}

// --- Connection ---

Connection::Connection(std::string uri) : uri_(std::move(uri)) {
  [[maybe_unused]] static const bool started = (start_event_loop(), true);
  open();
}

void Connection::open() {
  connection_.reset(
      virConnectOpenAuth(uri_.c_str(), virConnectAuthPtrDefault, 0));
  if (!connection_) throw libvirt_failure("connect to " + uri_);
  // A daemon too old for it, or a driver without one: then there is none.
  virConnectSetKeepAlive(connection_.get(), kKeepAliveSeconds, kKeepAliveCount);
  ++generation_;
}

virConnectPtr Connection::get() {
  const auto deadline = steady_clock::now() + kPatience;
  while (virConnectIsAlive(connection_.get()) != 1) {
    try {
      spdlog::debug("the connection to {} is lost; connecting again", uri_);
      open();
    } catch (const Error&) {
      if (steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  return connection_.get();
}

std::string Connection::libvirt_version() {
  unsigned long version = 0;
  if (virConnectGetLibVersion(get(), &version) != 0) return "unknown";
  return dotted(version);
}

std::string Connection::hypervisor_version() {
  unsigned long version = 0;
  if (virConnectGetVersion(get(), &version) != 0) return "unknown";
  return dotted(version);
}

std::vector<std::string> Connection::domain_names() {
  virDomainPtr* list = nullptr;
  const int count = virConnectListAllDomains(get(), &list, 0);
  if (count < 0) throw libvirt_failure("list the domains of " + uri_);
  const std::unique_ptr<virDomainPtr, decltype(&std::free)> owner(list,
                                                                  std::free);
  std::vector<std::string> names;
  names.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const DomainHandle domain(list[i]);
    names.emplace_back(virDomainGetName(domain.get()));
  }
  std::ranges::sort(names);
  return names;
}

// --- Guest ---

Guest::Guest(Connection& connection, const std::string& name)
    : connection_(connection), handle_(look_up(connection.get(), name)) {
  if (!handle_) {
    throw Error(ErrorKind::kNotFound,
                "no domain " + name + " at " + connection.uri());
  }
  std::array<char, VIR_UUID_STRING_BUFLEN> uuid{};
  if (virDomainGetUUIDString(handle_.get(), uuid.data()) != 0)
    throw libvirt_failure("learn the UUID of " + name);
  uuid_ = uuid.data();
  name_ = virDomainGetName(handle_.get());
  generation_ = connection.generation();
}

virDomainPtr Guest::get() {
  virConnectPtr const connection = connection_.get();
  if (generation_ != connection_.generation()) {
    handle_.reset(virDomainLookupByUUIDString(connection, uuid_.c_str()));
    if (!handle_) throw libvirt_failure("find the domain " + name_ + " again");
    generation_ = connection_.generation();
  }
  return handle_.get();
}

int Guest::state() {
  int state = 0;
  if (virDomainGetState(get(), &state, nullptr, 0) != 0)
    throw libvirt_failure("learn the state of " + name_);
  return state;
}

bool Guest::persistent() { return virDomainIsPersistent(get()) == 1; }

std::string Guest::xml(unsigned flags) {
  return take_text(virDomainGetXMLDesc(get(), flags),
                   "get the description of " + name_);
}

}  // namespace backstitch::engine
