"""Bits per second from two counts of bytes, and how they reach the PON ports."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.drivers.findings import PonPortInfo
from hardware.models import PonPort
from hardware.services import inventory
from hardware.services.rates import FASTEST_BPS, Count, bits_per_second
from tests.factories import OltFactory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTERS = st.integers(0, 2**64 - 1) | st.none()


def rate(before: int | None, now: int | None, *, seconds: float = 100, **options: int) -> int | None:
    return bits_per_second(Count(before, NOON), Count(now, NOON + timedelta(seconds=seconds)), **options)


class TestBitsPerSecond:
    def test_between_two_counts(self) -> None:
        assert rate(1000, 126_000) == 10_000

    def test_of_an_idle_line_is_nothing(self) -> None:
        assert rate(1000, 1000) == 0

    def test_over_the_end_of_a_counter64(self) -> None:
        assert rate(2**64 - 1000, 124_000) == 10_000

    def test_over_the_end_of_a_counter32(self) -> None:
        assert rate(2**32 - 1000, 124_000, width=32) == 10_000

    def test_of_a_cleared_counter64_is_unknown(self) -> None:
        assert rate(10**12, 5000) is None

    @pytest.mark.parametrize("width", [32, 64])
    def test_of_a_device_that_started_in_between_is_unknown(self, width: int) -> None:
        assert rate(2**31, 5000, width=width, uptime_seconds=99) is None
        assert rate(5000, 2**31, width=width, uptime_seconds=99) is None

    def test_of_a_device_that_ran_throughout_is_told(self) -> None:
        assert rate(1000, 126_000, uptime_seconds=101) == 10_000

    @pytest.mark.parametrize("seconds", [0, -5])
    def test_needs_time_to_pass(self, seconds: int) -> None:
        assert rate(0, 1000, seconds=seconds) is None

    @pytest.mark.parametrize(("before", "now"), [(None, 1), (1, None), (None, None)])
    def test_needs_two_counts(self, before: int | None, now: int | None) -> None:
        assert rate(before, now) is None

    @given(COUNTERS, COUNTERS, st.sampled_from([32, 64]), st.integers(0, 10**6) | st.none())
    def test_is_never_nonsense(
        self, before: int | None, now: int | None, width: int, uptime: int | None
    ) -> None:
        found = bits_per_second(
            Count(before, NOON), Count(now, NOON + timedelta(minutes=5)), width=width, uptime_seconds=uptime
        )

        assert found is None or 0 <= found <= FASTEST_BPS


@pytest.mark.django_db
@pytest.mark.usefixtures("acting")
class TestPorts:
    @staticmethod
    def store(
        olt_id: UUID, *, at: datetime, up: int | None, down: int | None, uptime: int = 10**6
    ) -> PonPort:
        port = PonPortInfo(index="0/1/0", up_bytes=up, down_bytes=down)
        inventory.store_ports(olt_id=olt_id, ports=[port], at=at, uptime_seconds=uptime)
        stored: PonPort = PonPort.objects.get(olt=olt_id)
        return stored

    def test_have_no_rate_at_first_sight(self) -> None:
        port = self.store(OltFactory().pk, at=NOON, up=1, down=2)

        assert (port.up_bps, port.down_bps, port.counted_at) == (None, None, NOON)

    def test_have_the_rate_of_the_last_two_counts(self) -> None:
        olt = OltFactory()
        self.store(olt.pk, at=NOON, up=0, down=2**64 - 1000)

        port = self.store(olt.pk, at=NOON + timedelta(seconds=8), up=1000, down=4000)

        assert (port.up_bps, port.down_bps) == (1000, 5000)

    def test_lose_the_rate_when_the_device_started_anew(self) -> None:
        olt = OltFactory()
        self.store(olt.pk, at=NOON, up=1000, down=1000)
        self.store(olt.pk, at=NOON + timedelta(seconds=100), up=2000, down=2000)

        port = self.store(olt.pk, at=NOON + timedelta(seconds=200), up=50, down=50, uptime=30)

        assert (port.up_bps, port.down_bps, port.up_bytes) == (None, None, Decimal(50))

    def test_keep_counts_and_rates_when_none_were_read(self) -> None:
        olt = OltFactory()
        self.store(olt.pk, at=NOON, up=0, down=0)
        self.store(olt.pk, at=NOON + timedelta(seconds=8), up=1000, down=4000)

        port = self.store(olt.pk, at=NOON + timedelta(seconds=60), up=None, down=None)

        assert (port.up_bytes, port.up_bps, port.counted_at) == (
            Decimal(1000),
            1000,
            NOON + timedelta(seconds=8),
        )
