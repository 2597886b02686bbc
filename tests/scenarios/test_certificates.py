"""A host's own CA bundle serves its builds and stays out of their images."""

from __future__ import annotations

import io
import tarfile

import pytest

from envctl.host.ca_bundle import bundle

pytestmark = [pytest.mark.engine, pytest.mark.slow]

MARK = "# bundle-7c1f0a94"


def test_builds_trust_the_hosts_bundle_and_images_do_not_have_it(engine, make_project, tmp_path):
    project = make_project()
    own = bundle(project.environ)
    certificates = tmp_path / "ca.pem"
    certificates.write_text(MARK + "\n" + (own.read_text() if own else ""))
    project.environ = {**project.environ, "ENVCTL_CA_BUNDLE": str(certificates)}
    project.spec(f"""
        web:
          packages: [python3, python3-venv]
          build:
            - run: "grep -q '{MARK[2:]}' \\"$SSL_CERT_FILE\\" && cp \\"$PIP_CERT\\" /dev/null"
            - pip: {{venv: /opt/web, packages: [itsdangerous]}}
          command: [sleep, infinity]
    """).up()

    code, out, _ = project.run(
        "web", "sh", "-c", "/opt/web/bin/python -c 'import itsdangerous'; env; ls -A /media /mnt"
    )
    assert code == 0
    assert "ca.crt" not in out
    assert "CERT" not in out
    for image in engine.api.images(filters={"label": f"dev.envctl.project={project.name}"}):
        assert MARK not in str(engine.api.inspect_image(image["Id"]))
        saved = io.BytesIO(b"".join(engine.api.get_image(image["Id"])))
        with tarfile.open(fileobj=saved) as layers:
            for layer in layers:
                content = layers.extractfile(layer)
                assert content is None or MARK.encode() not in content.read(), layer.name
