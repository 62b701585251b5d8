"""Thousands of requests made from the vendor's Open API description, to a cloud of its own.

    python tests/soak/open_api_schema.py --cases 500

Prints how often each operation gave each answer (status, error code). Stops at an answer that neither the description
nor the error table allows, with the request as a curl command. Exit status: 0 none, 1 one found.
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from localcloud.routes import ROUTES  # noqa: E402  after the line above, like the rest
from testkit import open_api_schema  # noqa: E402
from testkit.cloud_running import RunningCloud, running_cloud  # noqa: E402

MAC = "5C0000000001"


def main() -> int:
    args = _arguments()
    served = {(route.method, route.path) for route in ROUTES}
    operations = [row for row in open_api_schema.documented() if row in served]
    began = time.monotonic()
    total = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cloud(Path(folder), requests_per_minute=0) as cloud,
    ):
        did = cloud.register(MAC)
        print("seed %d, %d operations" % (args.seed, len(operations)), file=sys.stderr)
        for operation in operations:
            try:
                answers = _fuzz(cloud, operation, did, args)
            except AssertionError as error:
                print("%s %s\n%s" % (*operation, error), file=sys.stderr)
                return 1
            total += sum(answers.values())
            told = ", ".join("%s: %d" % answer for answer in answers.items())
            print("%-6s %-32s %s" % (*operation, told), flush=True)
    print("%d requests in %d s, every answer allowed" % (total, time.monotonic() - began), file=sys.stderr)
    return 0


def _fuzz(cloud: RunningCloud, operation: tuple[str, str], did: str, args: argparse.Namespace) -> dict[str, int]:
    # A user of its own: some operations end the token, the binding or the password.
    headers = open_api_schema.caller(cloud, " ".join(operation), MAC)
    url = "http://127.0.0.1:%d" % cloud.cloud.http_port
    return open_api_schema.fuzz(operation, url, headers, did, args.cases, args.seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Thousands of requests made from the vendor's Open API description.",
        epilog="example:\n  python tests/soak/open_api_schema.py --cases 500",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=200, help="requests per operation (200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="to repeat a run (drawn)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
