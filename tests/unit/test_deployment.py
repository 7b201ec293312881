"""What deploy/ says: of containers, which are not built here, everything that can be read."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from engine.data.untrusted.limits import UPLOAD_MB
from engine.results import attendant
from engine.settings import ROOT, read_settings

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
CADDYFILE = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
CUDA = yaml.safe_load((DEPLOY / "compose.cuda.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
LABS = [name for name in SERVICES if name.startswith("lab-")]


def stages() -> dict[str, list[str]]:
    """The Dockerfile's instructions by stage, continued lines joined."""
    found: dict[str, list[str]] = {}
    lines = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    for line in (one for one in lines if one and not one.startswith("#")):
        if line.startswith("FROM"):
            name = line.split()[-1]
            found[name] = []
        found[name].append(line)
    return found


def test_every_service_is_read_only_and_may_do_nothing_special():
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service and service.get("network_mode") is None, name
        assert "mem_limit" in service, name
        assert set(service.get("cap_add", [])) <= {"NET_BIND_SERVICE"}


def test_only_the_proxy_is_reached_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_what_is_written_lies_in_volumes():
    mounted = {name: {v.split(":")[1] for v in SERVICES[name]["volumes"]} for name in SERVICES}
    for name in [*LABS, "worker"]:
        settings = SERVICES[name]["environment"]
        assert mounted[name] == {settings["IAL_CACHE_DIR"], settings["IAL_DATA_DIR"]}
        assert SERVICES[name]["tmpfs"] == ["/tmp"]
    volumes = {v.split(":")[0] for service in SERVICES.values() for v in service["volumes"]}
    assert volumes == set(COMPOSE["volumes"])


def test_servers_and_worker_share_one_cache_and_only_the_worker_starts_workers():
    shared = {tuple(SERVICES[name]["volumes"]) for name in [*LABS, "worker"]}
    assert len(shared) == 1
    settings = {name: SERVICES[name]["environment"] for name in [*LABS, "worker"]}
    folders = {name: str(DEPLOY) for name in ("IAL_CACHE_DIR", "IAL_DATA_DIR")}
    starts = {name: read_settings({**given, **folders}).workers for name, given in settings.items()}
    assert starts == dict.fromkeys(LABS, False) | {"worker": True}
    command = SERVICES["worker"]["command"]
    assert command == ["python", "-m", attendant.__spec__.name if attendant.__spec__ else ""]


def test_the_proxy_knows_every_server_and_waits_for_it():
    said = SERVICES["proxy"]["environment"]["LAB_SERVERS"].split()
    assert said == [f"{name}:8501" for name in LABS]
    assert len(LABS) >= 2
    assert set(SERVICES["proxy"]["depends_on"]) == set(LABS)
    assert f"{{$LAB_SERVERS:{' '.join(said)}}}" in CADDYFILE


def test_files_that_are_named_exist():
    for name, service in SERVICES.items():
        context = DEPLOY / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile"), name
        assert service["build"]["target"] in stages(), name
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    own = [path for paths in copied if not paths[0].startswith("--from") for path in paths]
    assert own
    assert all((ROOT / path).exists() for path in own)


def test_the_trial_build_has_a_stand_in_for_every_base():
    script = DEPLOY / "try_build.sh"
    assert script.stat().st_mode & 0o111 == 0o111
    text = script.read_text(encoding="utf-8")
    bases = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("FROM")]
    made = re.findall(r'^base "\$folder/debian" (\S+)$', text, re.M)
    assert sorted(made) == sorted(bases)
    assert re.findall(r"^build (\S+) ", text, re.M) == ["lab", "proxy"]


def test_cuda_changes_nothing_but_who_gets_the_gpus():
    assert set(CUDA) == {"services"}
    assert set(CUDA["services"]) == {"worker"}
    (device,) = CUDA["services"]["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]


def test_the_image_installs_the_requirements_and_nothing_else():
    lab = stages()["lab"]
    installs = [line for line in lab if "pip install" in line]
    assert len(installs) == 1
    assert installs[0].split("pip install", 1)[1].split()[-2:] == ["-r", "requirements.txt"]
    words = set(installs[0].split("pip install", 1)[1].split())
    index = {"${TORCH_INDEX:+--extra-index-url", '"$TORCH_INDEX"}'}
    assert words == index | {"-r", "requirements.txt"}
    assert not any("apt-get" in line or "conda" in line for line in lab)
    assert lab.index("COPY requirements.txt .") < lab.index(installs[0])


@pytest.mark.parametrize("stage", ["lab", "proxy"])
def test_images_run_as_nobody_special(stage: str):
    users = [line.split()[1] for line in stages()[stage] if line.startswith("USER")]
    assert users
    assert all(re.fullmatch(r"[1-9]\d{3,}(:[1-9]\d{3,})?", user) for user in users)
    after = stages()[stage][stages()[stage].index(f"USER {users[-1]}") :]
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in after)


def test_the_image_has_a_health_check_and_its_folders():
    lab = "\n".join(stages()["lab"])
    assert "HEALTHCHECK" in lab
    assert "/_stcore/health" in lab
    assert 'VOLUME ["/cache", "/data"]' in lab


def test_published_results_are_in_the_image_and_local_ones_are_not():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored.index("cache/*") < ignored.index("!cache/published")
    assert {".git", ".venv"} <= set(ignored)
    needed = {"app.py", "engine", "pages", "deploy", "requirements.txt", ".streamlit"}
    assert not needed & set(ignored)


def test_uploads_have_one_limit():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["server"]["maxUploadSize"] == UPLOAD_MB
    assert "request_body" not in CADDYFILE  # what breaks it there is counted as the server's fault


def test_the_packing_script_is_executable():
    assert Path(DEPLOY / "compress.sh").stat().st_mode & 0o111 == 0o111
