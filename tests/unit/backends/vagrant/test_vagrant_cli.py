"""What is shown of a Vagrant command that failed."""

from __future__ import annotations

from envctl.backends.vagrant.vagrant_cli import informative_lines


def test_the_reason_is_shown_and_not_the_way_there():
    text = (
        "==> web: Uploading\r\x1b[KProgress: 10%\rProgress: 99%\n\n"
        "/usr/lib/fog.rb:3:in `create': Call failed: it exists already (Libvirt::Error)\n"
        "\tfrom /usr/lib/one.rb:1:in `call'\n\tfrom /usr/lib/two.rb:2:in `call'\n"
    )
    assert informative_lines(text) == [
        "==> web: Uploading",
        "/usr/lib/fog.rb:3:in `create': Call failed: it exists already (Libvirt::Error)",
    ]
