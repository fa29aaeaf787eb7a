"""What the OpenAPI document says; every answer of every test is held against it by tests/contract.py."""

from tests.client import Api
from tests.contract import document, find_operation, problems_of

DescribedApi = Api

__all__ = ["DescribedApi", "document", "find_operation", "problems_of"]
