"""LangChain's ChatOpenAI by the Responses API."""

from common import main
from langchain_both import run

main(lambda kind, base_url: run(kind, base_url, True))
