/* lua/bind/families.h - the model families described by the Lua files of a directory (lua/arch). */
#ifndef WB_BIND_FAMILIES_H
#define WB_BIND_FAMILIES_H

#include "app/arch/arch.h"

/* Read every *.lua of the directories, in order of their names, and add the families to set. A
 * family of a later directory replaces one of the same name, and may build on any other (`like`). A
 * directory that is not there is passed over. A file runs alone, without libraries, within
 * 1,000,000 instructions and 16 MiB. false: err names the file and the rule; set may then hold some
 * of the families. */
bool wb_families_load(struct wb_arch_set *set, const char *const *dirs, size_t n,
                      struct wb_err *err);

#endif
