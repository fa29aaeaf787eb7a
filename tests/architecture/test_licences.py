"""What is installed may be used, and docs/licences.md says so."""

from tests import licences


def test_the_page_lists_what_is_pinned():
    assert licences.PAGE.read_text() == licences.page(), "run `make licences`"


def test_every_licence_is_permissive_or_excepted_by_name():
    others = {name for name in licences.pinned() if not licences.is_permissive(licences.licence_of(name))}

    assert others == set(licences.EXCEPTIONS)


def test_the_gpl_alone_is_never_imported():
    found = {name: licences.licence_of(name) for name in licences.pinned()}

    assert [name for name, said in found.items() if said.startswith(("GPL", "AGPL"))] == []
