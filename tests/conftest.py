"""Fixtures of the wire tests, and what they all promise: every server that a test started is stopped,
a crash or a sanitizer's report fails the test, and a failure shows the servers' logs."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness.servers import ORACLE, PANDO, Servers  # noqa: E402


def pytest_report_header(config):
    return f"server under test: {PANDO}; oracle: {ORACLE}"


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for servers in getattr(item, "server_sets", []):
            report.sections.append(("server logs", servers.logs()))
    setattr(item, "failed_in_" + report.when, report.failed)


def pytest_collection_modifyitems(config, items):
    from harness.servers import is_oracle
    for item in items:
        if item.get_closest_marker("pando_only") and is_oracle(PANDO):
            item.add_marker(pytest.mark.skip(reason="Redis 7.0.15 does not have it"))
        if item.get_closest_marker("soak") and not os.environ.get("PANDO_SOAK"):
            item.add_marker(pytest.mark.skip(reason="long run: make soak"))


@pytest.fixture
def servers(request):
    """The processes of this test. At its end they are stopped and must not have complained."""
    mine = Servers()
    request.node.server_sets = getattr(request.node, "server_sets", []) + [mine]
    yield mine
    complaints = mine.finish()
    failed = getattr(request.node, "failed_in_call", False)
    if complaints and not failed:
        pytest.fail("\n".join(complaints))
    if not os.environ.get("PANDO_TEST_KEEP"):
        mine.remove()


@pytest.fixture
def pando(servers):
    """pando(**directives) starts a server under test."""
    return servers.pando


@pytest.fixture
def oracle(servers):
    """oracle(**directives) starts a Redis 7.0.15."""
    return servers.oracle
