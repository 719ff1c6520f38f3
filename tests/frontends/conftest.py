"""What tests of the applications' own pages share: sessions of people with each role, a browser, a live server."""

from pages_browser import browser, client_of, live, open_page, own_files

__all__ = ["browser", "client_of", "live", "open_page", "own_files"]
