// Does this host have what backstitch needs? Each finding comes with the
// command that mends it.
#pragma once

#include <string>
#include <vector>

namespace backstitch::engine {

struct Finding {
  enum class Grade {
    kGood,
    kNote,     // works, but less well than it could
    kProblem,  // something that backstitch does will fail
  };
  Grade grade = Grade::kGood;
  std::string check;   // a word: "fuse", "repository", …
  std::string what;    // one line
  std::string remedy;  // a shell command, or empty: there is nothing to do
};

struct DoctorRequest {
  std::string repository;   // empty: none was named
  std::string connect;      // URI of the hypervisor
  std::string config_file;  // need not be there
};

// Looks at everything and changes nothing. Never throws on what it finds.
std::vector<Finding> examine_host(const DoctorRequest& request);

}  // namespace backstitch::engine
