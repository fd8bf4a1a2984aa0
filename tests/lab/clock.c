/* Set every program's clock wrong by OFFSET seconds: a container has this machine's clock and cannot have another.
 *
 * Loaded through /etc/ld.so.preload, it makes the process's own copy of the vDSO jump here. That is where the C library
 * and Go programs (which use no C library for it) read the time, so dockerd's view of certificates is wrong, too.
 * Not shifted: what the kernel stamps (files), statically linked programs, timers, and PID 1, whose timers would never end.
 */
#include <dlfcn.h>
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* On a Go routine's stack: no library calls. */
static long kernel_clock(clockid_t clock, struct timespec *now)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_clock_gettime), "D"(clock), "S"(now) : "rcx", "r11", "memory");
    return result;
}

static int wrong_clock_gettime(clockid_t clock, struct timespec *now)
{
    long result = kernel_clock(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += OFFSET;
    return result;
}

static int wrong_gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    (void)zone;
    wrong_clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

static time_t wrong_time(time_t *now)
{
    struct timespec exact;
    wrong_clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}

static void redirect(void *library, const char *name, void *target)
{
    unsigned char jump[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0}; /* mov $target,%rax; jmp *%rax */
    void *function = dlsym(library, name);
    memcpy(jump + 2, &target, sizeof target);
    if (function)
        memcpy(function, jump, sizeof jump);
}

static size_t loaded_size(const Elf64_Ehdr *image)
{
    const Elf64_Phdr *segment = (const void *)((const char *)image + image->e_phoff);
    while (segment->p_type != PT_LOAD)
        segment++;
    return segment->p_memsz; /* the vDSO has one */
}

__attribute__((constructor)) static void set_clock_wrong(void)
{
    Elf64_Ehdr *image = (void *)getauxval(AT_SYSINFO_EHDR);
    void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
    /* As a whole: the kernel does not split this mapping. */
    if (getpid() == 1 || !image || !vdso || mprotect(image, loaded_size(image), PROT_READ | PROT_WRITE | PROT_EXEC))
        return;
    redirect(vdso, "__vdso_clock_gettime", wrong_clock_gettime);
    redirect(vdso, "__vdso_gettimeofday", wrong_gettimeofday);
    redirect(vdso, "__vdso_time", wrong_time);
    mprotect(image, loaded_size(image), PROT_READ | PROT_EXEC);
}
