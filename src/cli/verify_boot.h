// verify --boot: does the machine come up from its points?
#pragma once

#include "src/cli/command.h"

namespace backstitch::cli {

void add_boot_options(Options& options);
// Throws kUsage where one of them was given without --boot.
void check_no_boot_options(const Values& values);
int run_verify_boot(const Globals& globals, const Values& values);

}  // namespace backstitch::cli
