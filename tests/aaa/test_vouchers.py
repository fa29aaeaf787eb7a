"""Vouchers: made in batches, printed, redeemed once, used up."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from aaa import tasks
from aaa.models import Account, AccountState, ServiceProfile, Voucher, VoucherBatch
from aaa.services import caps, policies, settling, sheets, vouchers
from ispcore.files.models import StoredFile
from ispcore.files.services import open_file
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.vouchers.codes import hash_code

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
GB = 10**9


def make_batch(**fields: Any) -> VoucherBatch:
    profile, _ = ServiceProfile.objects.get_or_create(name="Hotspot")
    values = {
        "name": f"Batch {VoucherBatch.objects.count()}",
        "quantity": 3,
        "service_profile_id": profile.pk,
    }
    batch, _ = vouchers.create_batch(user_id=None, **values | fields)
    return batch


def add_code(batch: VoucherBatch, code: str) -> Voucher:
    voucher: Voucher = Voucher.objects.create(batch=batch, code_hash=hash_code(code), shown=code[:4])
    return voucher


class TestABatch:
    def test_is_made_and_printed_once(self, acting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("typst")
        printed: list[list[str]] = []
        render = sheets.render_vouchers

        def remember(batch: VoucherBatch, codes: list[str], *, provider: str) -> bytes:
            printed.append(codes)
            return render(batch, codes, provider=provider)

        monkeypatch.setattr(sheets, "render_vouchers", remember)
        batch = make_batch(quantity=25, prefix="caf", valid_minutes=1500, data_bytes=5 * GB)
        job = Job.objects.get()

        for _ in range(2):
            tasks.make_vouchers(tenant_id=str(acting.pk), job_id=str(job.pk))

        batch.refresh_from_db()
        job.refresh_from_db()
        file = StoredFile.objects.get()
        [codes] = printed
        assert (job.status, job.result["vouchers"], batch.sheet_id) == ("succeeded", 25, file.pk)
        assert (file.media_type, file.app_label) == ("application/pdf", "aaa")
        with open_file(file) as stream:
            assert stream.read().startswith(b"%PDF-")
        assert len(set(codes)) == 25
        assert all(code.startswith("CAF") and len(code) == 13 for code in codes)
        hashes = {bytes(each) for each in Voucher.objects.values_list("code_hash", flat=True)}
        assert hashes == {hash_code(code) for code in codes}
        assert not any(code in str(Voucher.objects.values()) for code in codes)

    def test_is_made_by_a_worker_that_is_bound_to_nobody(self, tenant: Any) -> None:
        pytest.importorskip("typst")
        with tenant_context(tenant.pk):
            batch = make_batch()
            job = Job.objects.get()

        tasks.make_vouchers(tenant_id=str(tenant.pk), job_id=str(job.pk))

        with tenant_context(tenant.pk):
            job.refresh_from_db()
            assert (job.status, batch.vouchers.count()) == ("succeeded", 3)

    def test_says_what_it_is_good_for(self, acting: Any) -> None:
        policy = policies.create_policy(name="20", down_kbps=20_000, up_kbps=5_000)
        batch = make_batch(valid_minutes=1530, data_bytes=5 * GB, policy_id=policy.pk)

        assert sheets.limits_of(batch) == "1 d 1 h 30 min, 5 GB, 20 Mbit/s"

    def test_with_used_vouchers_stays(self, acting: Any) -> None:
        batch = make_batch()
        add_code(batch, "ABCDEFGH23")
        add_code(batch, "ABCDEFGH24")
        vouchers.redeem(code="abcdefgh23", at=AT)

        with pytest.raises(vouchers.BatchInUse):
            vouchers.remove_batch(batch_id=batch.pk)
        assert vouchers.revoke_batch(batch_id=batch.pk, at=AT) == 1
        assert vouchers.revoke_batch(batch_id=batch.pk, at=AT) == 0

        assert sorted(Voucher.objects.values_list("state", flat=True)) == ["active", "revoked"]


class TestRedeeming:
    def test_makes_an_account_that_runs_from_now(self, acting: Any) -> None:
        batch = make_batch(valid_minutes=90, data_bytes=2 * GB)
        voucher = add_code(batch, "ABCDEFGH23")

        account = vouchers.redeem(code=" abcd-efgh 23", station="02-00-5E-00-00-01", at=AT)

        voucher.refresh_from_db()
        state = AccountState.objects.get(account=account)
        assert (account.username, account.password.reveal()) == ("ABCDEFGH23", "ABCDEFGH23")
        assert account.expires_at == voucher.ends_at == AT + timedelta(minutes=90)
        assert (voucher.state, voucher.used_at, voucher.account_id) == ("active", AT, account.pk)
        assert (state.allowance_bytes, state.period_ends_at) == (2 * GB, None)
        assert account.calling_station_key == "02005e000001"
        assert account.wanted.startswith("active:")

    def test_works_once(self, acting: Any) -> None:
        add_code(make_batch(), "ABCDEFGH23")
        vouchers.redeem(code="ABCDEFGH23", at=AT)

        with pytest.raises(vouchers.VoucherUsed, match="2026-03-10 12:00 UTC"):
            vouchers.redeem(code="ABCDEFGH23", at=AT + timedelta(hours=1))

        assert Account.objects.count() == 1

    def test_of_what_is_over_or_unknown_is_refused(self, acting: Any) -> None:
        add_code(make_batch(use_before=AT), "ABCDEFGH23")
        revoked = add_code(make_batch(), "ABCDEFGH24")
        vouchers.revoke_voucher(voucher_id=revoked.pk)

        for code, refusal in (
            ("ABCDEFGH23", vouchers.VoucherOver),
            ("ABCDEFGH24", vouchers.VoucherOver),
            ("ABCDEFGH25", vouchers.VoucherUnknown),
            ("", vouchers.VoucherUnknown),
        ):
            with pytest.raises(refusal):
                vouchers.redeem(code=code, at=AT)

        assert not Account.objects.exists()

    def test_of_another_tenants_code_is_unknown(self, acting: Any, other_tenant: Any) -> None:
        with tenant_context(other_tenant.pk):
            add_code(make_batch(), "ABCDEFGH23")

        with pytest.raises(vouchers.VoucherUnknown):
            vouchers.redeem(code="ABCDEFGH23", at=AT)

    def test_a_used_voucher_cannot_be_revoked(self, acting: Any) -> None:
        voucher = add_code(make_batch(), "ABCDEFGH23")
        vouchers.redeem(code="ABCDEFGH23", at=AT)

        with pytest.raises(vouchers.VoucherNotRevocable), transaction.atomic():
            vouchers.revoke_voucher(voucher_id=voucher.pk)

        voucher.refresh_from_db()
        assert voucher.state == "active"


class TestItsEnd:
    def test_comes_with_time(self, acting: Any) -> None:
        add_code(make_batch(valid_minutes=60), "ABCDEFGH23")
        account = vouchers.redeem(code="ABCDEFGH23", at=AT)
        later = AT + timedelta(minutes=60)

        assert vouchers.end_vouchers(at=later - timedelta(seconds=1)) == 0
        assert vouchers.end_vouchers(at=later) == 1
        settling.settle([account.pk], at=later)

        account.refresh_from_db()
        assert (Voucher.objects.get().state, account.wanted) == ("used_up", "refused:expired")

    def test_comes_with_its_data_and_no_new_month_brings_more(self, acting: Any) -> None:
        add_code(make_batch(data_bytes=GB), "ABCDEFGH23")
        account = vouchers.redeem(code="ABCDEFGH23", at=AT)
        AccountState.objects.update(used_bytes=GB)

        tasks.follow_quota(tenant_id=str(acting.pk), account_id=str(account.pk))
        assert caps.roll_periods(at=AT + timedelta(days=400)) == []
        settling.settle([account.pk], at=AT + timedelta(days=400))

        account.refresh_from_db()
        assert (Voucher.objects.get().state, account.wanted) == ("used_up", "refused:quota")


@pytest.mark.django_db(transaction=True)
def test_of_64_at_once_one_redeems(tenant: Any) -> None:
    with tenant_context(tenant.pk):
        add_code(make_batch(valid_minutes=60), "ABCDEFGH23")
    done: list[str] = []
    start = threading.Barrier(64)

    def redeem() -> None:
        start.wait()
        try:
            with tenant_context(tenant.pk):
                vouchers.redeem(code="ABCDEFGH23", at=AT)
            done.append("redeemed")
        except vouchers.VoucherUsed:
            done.append("used")
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (done.count("redeemed"), done.count("used")) == (1, 63)
    with tenant_context(tenant.pk):
        assert Account.objects.count() == 1
