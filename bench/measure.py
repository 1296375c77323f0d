"""Reads from /proc what processes have cost, and describes the machine."""

import dataclasses
import datetime
import os
import pathlib
import platform
import statistics
import subprocess

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Cpu:
    """Processor time of some processes. `total_ns` is exact (the scheduler's account of each
    thread); the user and system parts are that total, split as the kernel's ticks are."""

    total_ns: int = 0
    user_ticks: int = 0
    system_ticks: int = 0

    def __sub__(self, other):
        return Cpu(self.total_ns - other.total_ns, self.user_ticks - other.user_ticks,
                   self.system_ticks - other.system_ticks)

    def split_us(self, units):
        """(total, user, system) microseconds for each of `units`."""
        total = self.total_ns / 1000 / max(units, 1)
        ticks = self.user_ticks + self.system_ticks
        user = total * self.user_ticks / ticks if ticks else 0.0
        return total, user, total - user


def read_cpu(pids):
    cpu = Cpu()
    for pid in pids:
        process = pathlib.Path("/proc", str(pid))
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        cpu.user_ticks += int(fields[11])
        cpu.system_ticks += int(fields[12])
        for task in (process / "task").iterdir():
            try:
                cpu.total_ns += int((task / "schedstat").read_text().split()[0])
            except OSError:  # the thread has ended
                continue
    return cpu


def read_core(core):
    """Seconds that a core has worked for anybody, which tells whether others disturbed a run."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            idle = int(fields[3]) + int(fields[4])
            return (sum(map(int, fields[:8])) - idle) / TICKS_PER_SECOND
    raise OSError(f"there is no core {core}")


def read_memory_mb(pids):
    """Proportional set size, so that pages which processes share are counted once."""
    kilobytes = 0
    for pid in pids:
        for line in pathlib.Path("/proc", str(pid), "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def spread(values):
    """Median, least and most of what the rounds gave."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": list(values)}


def first_line(command):
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              check=False)
    except OSError:
        return "unknown"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines and done.returncode == 0 else "unknown"


def describe_machine(root, tools):
    """Everything that a reader needs to place the numbers. `tools` is name -> version command."""
    cpu = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    git = ["git", "-C", root]
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True,
                             check=False).stdout.strip()
    return {
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
        "network": os.environ.get("FLEXBENCH_NAMESPACE", "shared"),
        "commit": first_line([*git, "rev-parse", "--short=12", "HEAD"])
                  + (" with local changes" if changed else ""),
        "versions": {name: first_line(command) for name, command in tools.items()},
    }
