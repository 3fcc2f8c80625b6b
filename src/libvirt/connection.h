// A connection to a hypervisor, and one domain of it, both found again after
// libvirtd was restarted.
#pragma once

#include <libvirt/libvirt.h>

#include <memory>
#include <string>
#include <vector>

#include "format/base/error.h"

namespace backstitch::engine {

template <typename Handle, int (*free_handle)(Handle*)>
struct LibvirtFree {
  void operator()(Handle* handle) const { free_handle(handle); }
};
template <typename Handle, int (*free_handle)(Handle*)>
using LibvirtHandle = std::unique_ptr<Handle, LibvirtFree<Handle, free_handle>>;

using DomainHandle = LibvirtHandle<virDomain, virDomainFree>;

// The failure of the libvirt call that this thread made last.
Error libvirt_failure(const std::string& what);
// A text that libvirt allocated; throws that `what` failed when there is none.
std::string take_text(char* text, const std::string& what);

// Belongs to one thread at a time.
class Connection {
 public:
  // Connects. Throws kFailed.
  explicit Connection(std::string uri);

  // Connected again where libvirtd went away, for which it waits a while.
  virConnectPtr get();
  const std::string& uri() const { return uri_; }
  // How often it was connected.
  unsigned generation() const { return generation_; }
  // "9.0.0"; of the daemon and of the hypervisor.
  std::string libvirt_version();
  std::string hypervisor_version();
  // Names of all domains, running and not, in order.
  std::vector<std::string> domain_names();

 private:
  struct Close {
    void operator()(virConnectPtr connection) const {
      virConnectClose(connection);
    }
  };
  void open();

  std::string uri_;
  std::unique_ptr<virConnect, Close> connection_;
  unsigned generation_ = 0;
};

// Belongs to one thread at a time.
class Guest {
 public:
  // By name, UUID or number. Throws kNotFound.
  Guest(Connection& connection, const std::string& name);

  Connection& connection() { return connection_; }
  const std::string& name() const { return name_; }
  const std::string& uuid() const { return uuid_; }
  // Good until the next call.
  virDomainPtr get();

  int state();  // virDomainState
  bool active() { return state() != VIR_DOMAIN_SHUTOFF; }
  bool persistent();
  // `flags` of virDomainGetXMLDesc.
  std::string xml(unsigned flags = 0);

 private:
  Connection& connection_;
  std::string name_;
  std::string uuid_;
  DomainHandle handle_;
  unsigned generation_ = 0;
};

}  // namespace backstitch::engine
