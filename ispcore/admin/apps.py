from django.contrib.admin.apps import SimpleAdminConfig


class StaffSiteConfig(SimpleAdminConfig):
    """Django's admin, served by the house's own site."""

    default_site = "ispcore.admin.site.StaffSite"
