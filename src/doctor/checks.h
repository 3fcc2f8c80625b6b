// The parts of examine_host. Each adds at least one finding.
#pragma once

#include "src/doctor/doctor.h"

namespace backstitch::engine {

class Findings {
 public:
  void good(const std::string& check, const std::string& what) {
    list_.push_back({Finding::Grade::kGood, check, what, ""});
  }
  void note(const std::string& check, const std::string& what,
            const std::string& remedy) {
    list_.push_back({Finding::Grade::kNote, check, what, remedy});
  }
  void problem(const std::string& check, const std::string& what,
               const std::string& remedy) {
    list_.push_back({Finding::Grade::kProblem, check, what, remedy});
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

// A word as a shell takes it.
std::string shell_word(const std::string& word);

void check_programs(Findings& findings);
void check_fuse(Findings& findings);
void check_mounts(Findings& findings);
void check_confinement(Findings& findings);
void check_state(Findings& findings);
void check_config(const std::string& path, Findings& findings);
void check_repository(const std::string& path, Findings& findings);
void check_hypervisor(const std::string& uri, Findings& findings);

}  // namespace backstitch::engine
