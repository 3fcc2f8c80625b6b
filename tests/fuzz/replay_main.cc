// Runs a fuzz target on the files of its corpus, in builds without a fuzzer.
//
//   replay_TARGET DIRECTORY...

#include <cstdio>
#include <filesystem>

#include "format/base/file.h"
#include "tests/fuzz/input.h"

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const std::string text = backstitch::read_text(entry.path());
      std::printf("%s\n", entry.path().c_str());
      std::fflush(stdout);
      // A copy that ends where the input ends, so that a read beyond it shows.
      const std::vector<uint8_t> input(text.begin(), text.end());
      LLVMFuzzerTestOneInput(input.data(), input.size());
      ++count;
    }
  }
  return count == 0 ? 1 : 0;  // an empty corpus tests nothing
}
