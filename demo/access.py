"""The demo's access: the simulated NAS (demo/dialler.py) and the accounts its subscribers dial in with."""

from datetime import datetime

from aaa.models import Nas, NasType
from aaa.services.accounts import create_account
from aaa.services.nas import create_nas
from aaa.services.policies import policies_of_plans
from aaa.services.profiles import create_service_profile
from demo import dialler
from subscribers.models import ServiceStatus, Subscription

NAS_NAME, NAS_ADDRESS, NAS_SECRET, NAS_COA_PORT = "Exchange BNG", "127.0.0.4", "demo-secret", 13799
# Often, so that there is something to see soon.
INTERIM_SECONDS = 60


def load(*, at: datetime) -> None:
    """Give the bound tenant the simulated NAS and an account for each line that dials in there; once."""
    if Nas.objects.filter(name=NAS_NAME).exists():
        return
    create_nas(
        name=NAS_NAME,
        address=NAS_ADDRESS,
        secret=NAS_SECRET,
        nas_type=NasType.MIKROTIK,
        coa_port=NAS_COA_PORT,
        nas_identifier="demo-nas",
        site="Exchange building",
    )
    profile = create_service_profile(name="PPPoE", interim_seconds=INTERIM_SECONDS)
    lines = Subscription.objects.filter(
        status__in=(ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED), accounts=None
    ).order_by("number")[: dialler.LINES]
    policies_of_plans({line.plan_id for line in lines})
    for number, line in enumerate(lines, start=1):
        create_account(
            at=at,
            username=dialler.user_name(number),
            password=dialler.password(number),
            service_profile_id=profile.pk,
            subscription_id=line.pk,
        )
