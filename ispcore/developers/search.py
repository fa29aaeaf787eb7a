"""Find endpoints by what is known of them: a path, a word of the title, a field, an error's code."""

from ispcore.developers.reference import Endpoint, Reference

MOST = 60
LONGEST = 100


def search(reference: Reference, asked: str) -> list[Endpoint]:
    """Return the endpoints in which all words occur; where they stand in path or title comes first."""
    words = asked.lower()[:LONGEST].split()
    if not words:
        return []
    found = [one for one in reference.endpoints.values() if all(word in one.words for word in words)]
    return sorted(found, key=lambda one: _rank(one, words))[:MOST]


def _rank(endpoint: Endpoint, words: list[str]) -> tuple[int, int]:
    head = f"{endpoint.verb} {endpoint.path} {endpoint.title}".lower()
    return sum(word not in head for word in words), len(endpoint.path)
