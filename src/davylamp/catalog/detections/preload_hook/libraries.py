"""What a preloaded library is worth by its path and by what its package says."""

from __future__ import annotations

import re

from davylamp.kit.host_paths import hidden_part, in_home, is_temporary

# Libraries that are made to be preloaded: allocators, clocks, sanitizers, wrappers of tests, proxies, profilers.
MADE_FOR_IT = re.compile(
    r"^(?:lib)?(?:jemalloc|tcmalloc|mimalloc|hoard|snmalloc|faketime|asan|tsan|ubsan|lsan|msan|hwasan|clang_rt|eatmydata|"
    r"fakeroot|fakechroot|nss_wrapper|uid_wrapper|socket_wrapper|pam_wrapper|resolv_wrapper|proxychains|torsocks|tsocks|"
    r"snoopy|stdbuf|vgpreload|rrpreload|heaptrack|profiler|gtk3-nocsd|SegFault|memusage|pcprofile|armmem|cofi|gomp|iomp5|"
    r"omp|dlfaker|vglfaker|mangohud|gamemode|gameoverlayrenderer|onload|vma|sdp|trickle|lttng-ust|numa_interpose|mkl|"
    r"nvshmem|cuda|xpmem|darshan|scorep|eztrace|extrae|electric-?fence|efence|duma|libdl_preload|strace-ui|sandbox|"
    r"stderred|keepalive|tcmalloc_minimal|termux-exec)(?:[^a-z].*)?$",
    re.IGNORECASE,
)
# Agents whose vendors document that they put themselves into every program.
AGENTS = ("/opt/dynatrace/", "/opt/datadog-packages/", "/opt/datadog/", "/opt/appdynamics/", "/opt/contrast/", "/snap/")
# Libraries of reported rootkits (knowledge base 1.5, 2.5; ATT&CK T1574.006).
ROOTKITS = re.compile(
    r"^(?:libgcwrap|libprocesshider|libsystem|libpamcd|libcurl\.so\.2\.17|libselinux\.so\.1\.2|jynx2?|azazel|bdvl|beurk|"
    r"vlany|umbreon|father|medusa|libsshd_hook)(?:\.so.*)?$",
    re.IGNORECASE,
)
SYSTEM = re.compile(r"^/(?:usr/)?lib(?:32|64|x32)?/(?!python|node_modules)(?:[a-z0-9_]+-linux-[a-z0-9]+/)?[^/]+$")


def judge_library(library: str, state: str, everywhere: bool, missing: bool) -> tuple[float, str]:
    """What it is worth that a library is preloaded, and the words for it; 0.0 for the many good reasons.

    Args:
        library: its path or name, as the entry gives it.
        state: what its package says of it.
        everywhere: the loader's own list names it, so it is in every program.
        missing: an entry names a file that was not there.
    """
    name = library.rpartition("/")[2]
    if ROOTKITS.match(name):
        return 6.0, "bears the name of a reported rootkit"
    if MADE_FOR_IT.match(name):
        return 0.0, ""
    if is_temporary(library):
        return (4.5 if everywhere or hidden_part(library) else 3.0), "lies in a folder that anybody may write to"
    if hidden_part(library) and not in_home(library):
        return 4.5, "lies in a hidden folder or is hidden"
    if not library.startswith("/") or state == "unmodified" or library.startswith(AGENTS):
        return 0.0, ""
    if state == "modified":
        return 4.5, "differs from the file of its package"
    if everywhere:
        return _everywhere(library, state, missing)
    if state == "unowned" and SYSTEM.match(library):
        return 3.0, "stands among the system's libraries and no package owns it"
    if state == "unowned" and library.startswith("/usr/local/lib") and "python" not in library:
        return 1.9, "belongs to no package"
    return 0.0, ""


def _everywhere(library: str, state: str, missing: bool) -> tuple[float, str]:
    if "$" in library:
        return 0.0, ""  # the loader fills in the platform; whose file it is cannot be told
    if missing:
        return 2.5, "is in the loader's list and was not to be seen"
    if state == "unowned":
        return (2.0 if library.startswith("/opt/") else 3.5), "is put into every program and no package owns it"
    return 2.0, "is put into every program, and whose it is could not be told"
