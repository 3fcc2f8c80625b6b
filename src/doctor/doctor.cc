#include "src/doctor/doctor.h"

#include <functional>

#include "format/base/error.h"
#include "src/base/stop.h"
#include "src/doctor/checks.h"

namespace backstitch::engine {

std::string shell_word(const std::string& word) {
  const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:@,";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos)
    return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string{c};
  return quoted + "'";
}

std::vector<Finding> examine_host(const DoctorRequest& request) {
  Findings findings;
  const auto check = [&](const std::string& name,
                         const std::function<void()>& look) {
    check_stop();
    try {
      look();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInterrupted) throw;
      findings.problem(name, error.what(), "");
    } catch (const std::exception& error) {
      findings.problem(name, error.what(), "");
    }
  };
  check("programs", [&] { check_programs(findings); });
  check("fuse", [&] { check_fuse(findings); });
  check("mounts", [&] { check_mounts(findings); });
  check("confinement", [&] { check_confinement(findings); });
  check("state", [&] { check_state(findings); });
  check("configuration", [&] { check_config(request.config_file, findings); });
  check("repository", [&] { check_repository(request.repository, findings); });
  check("hypervisor", [&] { check_hypervisor(request.connect, findings); });
  return findings.take();
}

}  // namespace backstitch::engine
