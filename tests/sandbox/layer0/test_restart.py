"""What stands outlives the server's process."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
from pathlib import Path

from tests.sandbox.layer0.served import Served, serve
from tests.sandbox.workloads.fake_containers import FakeContainers

DOCKERRUN = base64.b64encode(
    json.dumps({"containerDefinitions": [{"name": "a", "image": "busybox", "memory": 10}]}).encode()
).decode()


def post(served: Served, path: str, **body: object) -> dict[str, object]:
    value: dict[str, object] = served.ask("POST", path, json.dumps(body)).value
    return value


def running(served: Served, service_id: str, count: int) -> dict[str, object]:
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        service: dict[str, object] = served.ask("GET", f"/service/{service_id}").value
        if service["running_count"] == count and service["pending_count"] == 0:
            return service
        time.sleep(0.05)
    raise AssertionError(service)


def test_a_new_server_on_the_same_folder_goes_on(tmp_path: Path) -> None:
    """Entities, tags, jobs and version numbers stand; running containers are taken up, dead ones replaced."""
    containers = FakeContainers()
    with serve(containers, folder=tmp_path, keep=True) as served:
        (demo,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
        post(served, "/deploy", deploy_name="d", dockerrun=DOCKERRUN)
        created = post(
            served, "/service", environment_id=demo["entity_id"], service_name="s", deploy_id="d.1"
        )
        service_id = str(created["service_id"])
        served.ask("PUT", f"/service/{service_id}/scale", '{"desired_count": 2}')
        running(served, service_id, 2)
        served.ask("DELETE", "/deploy/d.1")
        lists = {
            each: served.ask("GET", each).body for each in ("/service", "/environment", "/job", "/deploy")
        }
    before = list(containers.seen)
    containers.stop(before[0], grace_s=0)
    with serve(containers, folder=tmp_path) as served:
        assert {each: served.ask("GET", each).body for each in lists} == lists
        running(served, service_id, 2)
        alive = [each for each, seen in containers.seen.items() if seen.running]
        assert before[1] in alive
        assert before[0] not in alive
        assert post(served, "/deploy", deploy_name="d", dockerrun=DOCKERRUN)["version"] == "2"


def test_jobs_of_a_server_that_ended_end_in_error(tmp_path: Path) -> None:
    """Nobody works on them any more, so nobody is left waiting; what was to be deleted can be deleted again."""

    class Stuck(FakeContainers):
        def stop(self, docker_id: str, *, grace_s: int) -> None:
            if not free.is_set():
                asked.set()
                free.wait()
            super().stop(docker_id, grace_s=grace_s)

    asked, free = threading.Event(), threading.Event()
    containers = Stuck()
    with serve(containers, folder=tmp_path, keep=True) as served:
        (demo,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
        post(served, "/deploy", deploy_name="d", dockerrun=DOCKERRUN)
        made = post(served, "/service", environment_id=demo["entity_id"], service_name="s", deploy_id="d.1")
        service_id = str(made["service_id"])
        running(served, service_id, 1)
        job_id = served.value("DELETE", f"/service/{service_id}")
        assert asked.wait(20)
        # As after a kill: the store has the state of this moment.
        shutil.copytree(tmp_path, tmp_path.with_name("killed"))
        free.set()
    with serve(containers, folder=tmp_path.with_name("killed")) as served:
        job = served.value("GET", f"/job/{job_id}")
        (log,) = served.value("GET", f"/task/{job['task_id']}/logs")
        assert (job["job_status"], log["lines"][-1].endswith("was stopped while this job ran")) == (4, True)
        assert service_id in [each["service_id"] for each in served.value("GET", "/service")]
        running(served, service_id, 1)


def test_two_hundred_services_are_listed_quickly(tmp_path: Path) -> None:
    """A list costs about the same as with one service: names come from memory, no container is looked at."""
    with serve(FakeContainers(), folder=tmp_path) as served:
        (demo,) = served.ask("GET", "/tag?fuzz=demo&type=environment").value
        post(served, "/deploy", deploy_name="d", dockerrun=DOCKERRUN)
        for number in range(200):
            post(
                served,
                "/service",
                environment_id=demo["entity_id"],
                service_name=f"s{number}",
                deploy_id="d.1",
            )
        started_s = time.perf_counter()
        listed = served.ask("GET", "/service").value
        found = served.ask("GET", "/tag?type=service").value
        took_s = time.perf_counter() - started_s
        assert (len(listed), len(found)) == (201, 201)
        print(f"both lists took {1000 * took_s:.0f} ms")
