"""Notices in the staff site: the log, a text with its sample, and a message to many that is seen before it goes."""

import pytest

from ispcore.admin.actions import CONFIRMED
from ispcore.jobs import services as jobs
from ispcore.jobs.models import Job
from ispcore.tenants.context import tenant_context
from ispcore.tenants.roles import Role
from support.models import Consent, MassMessage, NoticeChannel, NoticeSettings, NoticeTemplate
from support.services.notices import mass, rules
from tests.support.noticing import NOON, cut, make_customer

pytestmark = pytest.mark.django_db
LOG = "/admin/support/notice/"


def text_of(answer):
    return answer.content.decode()


def test_the_log_shows_what_was_said_and_why_not(browser, tenant):
    with tenant_context(tenant.pk):
        customer = make_customer(email="")
        cut(customer)
        rules.tell_suspension(subscriber_id=customer.pk, at=NOON)
        notice = customer.notices.get()

    listed = text_of(browser.get(LOG))
    page = text_of(browser.get(f"{LOG}{notice.pk}/change/"))

    assert "Cut for non-payment" in listed
    assert "The customer has no e-mail address." in listed
    assert "Your service is suspended because invoices are overdue." in page


def test_a_text_begins_with_the_product_s_own_and_shows_a_sample(browser, tenant):
    form = browser.get("/admin/support/noticetemplate/add/?kind=outage&channel=sms")
    kept = browser.post(
        "/admin/support/noticetemplate/add/",
        {
            "kind": "outage", "channel": "email", "language": "en", "subject": "Down", "body": "Since {since}",
            "is_active": "on",
        },
    )  # fmt: skip
    wrong = browser.post(
        "/admin/support/noticetemplate/add/",
        {"kind": "welcome", "channel": "email", "language": "en", "subject": "Hi", "body": "{since}"},
    )

    assert "{provider}: Since {since} there is an outage" in text_of(form)
    assert kept.status_code == 302
    assert "{since} is no placeholder here." in text_of(wrong)
    with tenant_context(tenant.pk):
        template = NoticeTemplate.objects.get()
    page = browser.get(f"/admin/support/noticetemplate/{template.pk}/change/")
    assert "Since 2026-03-02 10:15" in text_of(page)


def test_a_message_to_many_is_seen_before_it_is_sent(browser, tenant):
    with tenant_context(tenant.pk):
        make_customer(full_name="Ana Costa")
        make_customer(full_name="Rui Dias")
    drafted = browser.post(
        "/admin/support/massmessage/add/",
        {
            "name": "Works", "channel": "email", "purpose": "service", "subject": "Works", "body": "Dear {customer}",
            "cap": "10", "status": "", "zone": "", "plan": "",
        },
    )  # fmt: skip
    with tenant_context(tenant.pk):
        message = MassMessage.objects.get()
    url = f"/admin/support/massmessage/{message.pk}/do/approve/"
    asked = text_of(browser.post(url))
    refused = browser.post(url, {CONFIRMED: "yes", "count": "3"}, follow=True)
    browser.post(url, {CONFIRMED: "yes", "count": "2"})

    assert drafted.status_code == 302
    assert (message.state, message.counted) == ("counted", 2)
    assert "Ana Costa" in asked
    assert "Dear Maria Silva" in asked
    assert "2 customers would get it now, not 3." in text_of(refused)
    with tenant_context(tenant.pk):
        message.refresh_from_db()
        assert message.state == "approved"
        assert Job.objects.filter(kind=mass.KIND).count() == 1


def test_gateways_quiet_hours_and_consent_are_kept(browser, tenant):
    with tenant_context(tenant.pk):
        customer = make_customer()
    fields = {
        "channel": "sms",
        "url": "https://sms.example/send",
        "secret": "a secret of sixteen",
        "is_enabled": "on",
    }

    refused = browser.post("/admin/support/noticechannel/add/", fields | {"url": "https://10.0.0.1/send"})
    browser.post("/admin/support/noticechannel/add/", fields)
    browser.post("/admin/support/noticesettings/add/", {"quiet_from": "22:00", "quiet_until": "07:00"})
    said = {"subscriber": str(customer.pk), "channel": "email", "purpose": "service"}
    browser.post("/admin/support/consent/add/", said | {"is_given": "on"})
    browser.post("/admin/support/consent/add/", said)

    assert "10.0.0.1 is in a private network." in text_of(refused)
    with tenant_context(tenant.pk):
        assert NoticeChannel.objects.get().secret.reveal() == "a secret of sixteen"
        assert f"{NoticeSettings.objects.get().quiet_from:%H:%M}" == "22:00"
        assert list(Consent.objects.values_list("is_given", flat=True)) == [False]


def test_support_may_not_send_to_many(browser_as, tenant):
    with tenant_context(tenant.pk):
        make_customer()
        message = mass.create(name="Offer", subject="Offer", body="x")
        mass.count(message_id=message.pk, at=NOON)

    answer = browser_as(Role.SUPPORT).post(
        f"/admin/support/massmessage/{message.pk}/do/approve/", {CONFIRMED: "yes", "count": "1"}
    )

    assert answer.status_code == 403
    with tenant_context(tenant.pk):
        message.refresh_from_db()
        assert message.state == "counted"


def test_a_customer_s_page_shows_what_they_were_told(browser, tenant):
    with tenant_context(tenant.pk):
        customer = make_customer()
        cut(customer)
        rules.tell_suspension(subscriber_id=customer.pk, at=NOON)
        Consent.objects.create(
            subscriber=customer, channel="sms", purpose="marketing", is_given=False, said_at=NOON
        )

    page = text_of(browser.get(f"/admin/subscribers/subscriber/{customer.pk}/change/?tab=notices"))

    assert "Cut for non-payment" in page
    assert "zoe@customer.example" in page
    assert "Marketing, SMS" in page


def test_a_mass_message_tells_what_became_of_it_and_leads_to_the_log(browser, tenant):
    with tenant_context(tenant.pk):
        make_customer(full_name="Ana Costa")
        message = mass.create(name="Works", subject="Works", body="Dear {customer}")
        mass.count(message_id=message.pk, at=NOON)
        _, job = mass.approve(message_id=message.pk, count=1, at=NOON, user_id=None)
    jobs.perform(
        tenant_id=str(tenant.pk), job_id=str(job.pk), work=lambda run: mass.write_message(run, at=NOON)
    )

    page = text_of(browser.get(f"/admin/support/massmessage/{message.pk}/change/"))
    log = text_of(browser.get(f"{LOG}?mass_message__id__exact={message.pk}"))

    assert f"{LOG}?mass_message__id__exact={message.pk}" in page
    assert "1 waiting" in page
    assert "Ana Costa" in log
