"""A real Slurm of two nodes on the loopback address, for a test: started, asked, stopped.

As root, without systemd and cgroups; each daemon in the foreground, ended by its own process.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.stage_processes import wait_until

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
_CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CommunicationParameters=NoAddrCache,NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=16820
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2,defer_batch
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=30
JobRequeue=1
ReturnToService=2
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=16821 CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=16822 CPUs=1 RealMemory=4000
PartitionName=low Nodes=n1,n2 Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=high Nodes=n1,n2 MaxTime=60 State=UP PriorityTier=10
"""
_CGROUP = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\n"


def why_not() -> str | None:
    """Return why there can be no Slurm here, None if there can; installs it where it may."""
    if os.geteuid() != 0:
        return "a Slurm of one's own needs root here"
    if not shutil.which("slurmctld"):
        if "TEST_CLUSTER" not in os.environ:
            return "no Slurm here; make test-cluster installs it"
        if not shutil.which("apt-get"):
            return "no Slurm here, and no apt to install it with"
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    return None


class Slurm:
    """Daemons in a folder; `environment` is that of whoever talks to them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.daemons = folder, {}
        conf = folder / "slurm.conf"
        conf.write_text(_CONF.format(folder=folder))
        (folder / "cgroup.conf").write_text(_CGROUP)
        (folder / "state").mkdir()
        self.environment = {**os.environ, "SLURM_CONF": str(conf)}
        self._start_munge()
        self._start("slurmctld", "slurmctld", "-D")
        for node in ("n1", "n2"):
            self.start_node(node)
        wait_until(
            lambda: self.ask("sinfo", "-h", "-N", "-p", "low", "-o", "%t") == "idle\nidle", 60
        )

    def ask(self, *command: str) -> str:
        """Run a command of Slurm's and return what it prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def jobs(self, *states: str) -> list[str]:
        """Return the jobs that are not finished, as "ARRAY_TASK NODE"."""
        filters = [f"--states={','.join(states)}"] if states else []
        return self.ask("squeue", "-h", "-r", "-o", "%i %N", *filters).splitlines()

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self._start(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """End a node at once, with all that runs on it: its daemon, its steps, their processes."""
        self.daemons[node].kill()
        self.daemons.pop(node).wait()
        inside = [p for p in psutil.process_iter() if _node_of(p) == node]
        # What watches over a step goes first: it would report its end.
        watching = {p.parent() for p in inside if (p.parent() or p).name() == "slurmstepd"}
        for process in (*watching, *inside):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def stop(self) -> None:
        """End all jobs and all daemons."""
        self.ask("scancel", "--user=root")
        deadline = time.monotonic() + 60
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.2)
        for daemon in reversed(list(self.daemons.values())):
            daemon.terminate()
            daemon.wait(30)

    def _start(self, name: str, *command: str) -> None:
        log = (self.folder / f"{name}.out").open("ab")
        self.daemons[name] = subprocess.Popen(
            command, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o400)
        socket = self.folder / "munge.socket"
        names = {"key-file": key, "socket": socket, "pid-file": self.folder / "munge.pid"}
        names |= {"log-file": self.folder / "munge.log", "seed-file": self.folder / "munge.seed"}
        options = [f"--{name}={file}" for name, file in names.items()]
        self._start("munged", "munged", "--force", "--foreground", *options)
        wait_until(socket.exists, 20)


def _node_of(process: psutil.Process) -> str | None:
    with suppress(psutil.Error):
        return process.environ().get("SLURMD_NODENAME")
    return None
