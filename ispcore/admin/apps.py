from django.contrib.admin.apps import SimpleAdminConfig
from django.utils.module_loading import autodiscover_modules


class StaffSiteConfig(SimpleAdminConfig):
    """Django's admin, served by the house's own site.

    What third-party packages register goes to Django's default site, which no URL serves: a page exists
    only where one of our apps registered it with `ispcore.admin.site`.
    """

    default_site = "ispcore.admin.site.StaffSite"

    def ready(self) -> None:
        from ispcore.admin import lists

        super().ready()
        lists.install()
        autodiscover_modules("admin")
