import pytest

from matcher.machine import Machine, usable_cores

CPUINFO = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6430
flags\t\t: fpu sse2 avx2 fma amx_tile

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
MEMINFO = "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\n"
MIB = 1 << 20


@pytest.fixture
def root(tmp_path):
    """A machine of two processors and 16 MiB without any limit."""
    write(tmp_path, "proc/cpuinfo", CPUINFO)
    write(tmp_path, "proc/meminfo", MEMINFO)
    return tmp_path


def write(root, name, content):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def test_processor_and_memory_are_read_as_the_kernel_tells_them(root):
    machine = Machine.read(root)
    assert (machine.cpu, machine.vendor) == ("Intel(R) Xeon(R) Gold 6430", "GenuineIntel")
    assert machine.has("avx2", "amx_tile")
    assert not machine.has("avx2", "avx512f")
    assert (machine.quota, machine.memory, machine.available) == (None, 16 * MIB, 8 * MIB)


def test_system_without_proc_is_a_machine_of_which_little_is_known(tmp_path):
    machine = Machine.read(tmp_path)
    assert machine.cpu
    assert machine.flags == frozenset()
    assert (machine.quota, machine.memory, machine.available) == (None, None, None)


def test_narrowest_group_of_version_2_limits_cores_and_memory(root):
    write(root, "proc/self/cgroup", "0::/system.slice/matcher.service\n")
    groups = "sys/fs/cgroup/system.slice"
    write(root, f"{groups}/matcher.service/cpu.max", "max 100000\n")
    write(root, f"{groups}/cpu.max", "150000 100000\n")
    write(root, f"{groups}/matcher.service/memory.max", f"{4 * MIB}\n")
    write(root, f"{groups}/memory.max", "max\n")
    machine = Machine.read(root)
    assert (machine.quota, machine.memory, machine.available) == (1.5, 4 * MIB, 4 * MIB)


def test_groups_of_version_1_limit_as_well(root):
    write(root, "proc/self/cgroup", "4:memory:/box\n2:cpu,cpuacct:/box\n0::/\n")
    write(root, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "200000\n")
    write(root, "sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "50000\n")
    write(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    write(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    write(root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", f"{12 * MIB}\n")
    write(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    machine = Machine.read(root)
    assert (machine.quota, machine.memory, machine.available) == (4.0, 12 * MIB, 8 * MIB)


def test_limits_are_found_where_a_container_sees_only_its_own_group(root):
    write(root, "proc/self/cgroup", "0::/../../docker/abc\n")
    write(root, "sys/fs/cgroup/cpu.max", "300000 100000\n")
    assert Machine.read(root).quota == 3.0


def test_machine_of_this_test_has_a_name_and_a_core():
    machine = Machine.read()
    assert machine.cpu
    assert machine.quota is None or machine.quota > 0
    assert usable_cores() >= 1
