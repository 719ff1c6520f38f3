"""Addresses of everything on the Django side. Floor 4."""

urlpatterns: list[object] = []
