"""Servers of the differential tests: one oracle, one pando with a replica, for all cases of a script."""
import pytest

from harness.compare import wait_linked
from harness.servers import Servers

from .runner import Seat


class Arena:
    def __init__(self):
        self.servers = None
        self.config = None

    def open(self, config):
        """The seats for a script; servers that already run with this configuration serve on."""
        alive = self.servers and all(s.running for s in self.servers.all)
        if alive and self.config == config:
            return self
        self.close()
        self.config = dict(config)
        self.servers = Servers()
        oracle = self.servers.oracle(**config)
        pando = self.servers.pando(**config)
        self.replica = self.servers.pando(name="replica", **config)
        # One replica at each: WAIT, INFO and the like see the same.
        self.oracle_replica = self.servers.oracle(name="oracle-replica", **config)
        for replica, primary in ((self.replica, pando), (self.oracle_replica, oracle)):
            if config.get("requirepass"):
                replica.configure(masterauth=config["requirepass"])
            replica.replicate(primary)
        wait_linked(self.replica, self.oracle_replica)
        self.oracle, self.ours = Seat(oracle, self.oracle_replica), Seat(pando, self.replica)
        return self

    def close(self):
        """Stops the servers; what they complained about fails the test that closes."""
        servers, self.servers = self.servers, None
        if servers:
            complaints = servers.finish()
            servers.remove()
            assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="module")
def arenas():
    arena = Arena()
    yield arena
    arena.close()


@pytest.fixture
def arena(request, arenas):
    def opened(config):
        arenas.open(config)
        request.node.server_sets = [arenas.servers]
        return arenas
    return opened
