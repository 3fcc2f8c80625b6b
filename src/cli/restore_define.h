// backstitch restore --define: the machine back in libvirt.
#pragma once

#include "src/cli/command.h"

namespace backstitch::cli {

void add_define_options(Options& options);
// Throws kUsage when an option was given that makes no sense without --define.
void refuse_define_options(const Values& values);
// The command; gives the exit code.
int restore_and_define(const Globals& globals, const Values& values);

}  // namespace backstitch::cli
