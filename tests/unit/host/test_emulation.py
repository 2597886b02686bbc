"""Programs of other platforms, tried here."""

from __future__ import annotations

import platform
import struct

import pytest

from envctl.host.architectures import processor as linux_word
from envctl.host.emulation import program, remedy, runs_here
from envctl.plan import platforms

PLATFORMS = sorted({platforms.normalized(name) for name in platforms.PLATFORMS})
ALL = sorted({platforms.architecture(platform) for platform in PLATFORMS})


def test_this_host_runs_the_program_of_its_own_platform():
    own = linux_word(platform.machine())
    known = {
        platforms.architecture(platform_name)
        for platform_name in PLATFORMS
        if own in platforms.processor(platform_name).architectures
    }

    assert known
    assert all(map(runs_here, known))


@pytest.mark.parametrize("one", ALL)
def test_every_platform_has_a_program_that_says_which_processor_it_is_for(one):
    made = program(one)
    order = ">" if made[5] == 2 else "<"
    wide = made[4] == 2

    assert made[:4] == b"\x7fELF"
    # An executable of one segment, which is the whole file.
    assert struct.unpack_from(f"{order}H", made, 16) == (2,)
    assert struct.unpack_from(f"{order}H", made, 56 if wide else 44) == (1,)
    where = (64 + 32, "Q") if wide else (52 + 16, "I")
    assert struct.unpack_from(f"{order}{where[1]}", made, where[0]) == (len(made),)
    numbers = {
        struct.unpack_from("<H" if program(o)[5] == 1 else ">H", program(o), 18) for o in ALL
    }
    assert len(numbers) == len(ALL)


def test_the_remedy_names_what_is_to_be_installed_and_how_to_see_that_it_is():
    assert remedy("aarch64") == (
        "install an emulator (on Debian and Ubuntu the packages qemu-user-static and binfmt-support),"
        " after which /proc/sys/fs/binfmt_misc/qemu-aarch64 exists"
    )
