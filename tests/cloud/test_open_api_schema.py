"""Every operation that is served, against the vendor's description; in the long: tests/soak/open_api_schema.py."""

import pytest
from localcloud.routes import ROUTES
from testkit import open_api_schema
from testkit.cloud_running import running_cloud

CASES = 30
MAC = "5C0000000001"
SERVED = {(route.method, route.path) for route in ROUTES}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """(cloud, did) without a limit on requests."""
    with running_cloud(tmp_path_factory.mktemp("schema"), requests_per_minute=0) as cloud:
        yield cloud, cloud.register(MAC)


@pytest.mark.parametrize(
    "operation", [row for row in open_api_schema.documented() if row in SERVED], ids=lambda row: " ".join(row)
)
def test_every_answer_is_one_that_the_description_or_the_error_table_knows(home, operation):
    cloud, did = home
    headers = open_api_schema.caller(cloud, " ".join(operation), MAC)
    url = "http://127.0.0.1:%d" % cloud.cloud.http_port
    answers = open_api_schema.fuzz(operation, url, headers, did, CASES, seed_=1)
    assert sum(answers.values()) >= CASES
