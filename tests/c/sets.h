// Runs a test program on every instruction set this processor has.
#ifndef DAUB_TESTS_SETS_H
#define DAUB_TESTS_SETS_H

#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "check.h"

// Ends main: prints the set in use, runs the program once more for each of the others unless
// DAUB_ISA had been given, and gives the exit status.
static inline int check_every_set(const char *program) {
    bool chosen = getenv("DAUB_ISA") != NULL;
    printf("%s: ", daub_isa_name(daub_cpu_isa()));
    fflush(stdout);
    for (daub_isa isa = DAUB_ISA_SCALAR; isa <= DAUB_ISA_AVX512 && !chosen; isa++) {
        if (isa == daub_cpu_isa()) continue;
        setenv("DAUB_ISA", daub_isa_name(isa), 1);
        if (daub_cpu_check() != DAUB_OK) continue;
        pid_t child = fork();
        if (child == 0) {
            execl(program, program, (char *)NULL);
            _exit(127);
        }
        int status = 0;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    }
    return check_summary();
}

#endif
