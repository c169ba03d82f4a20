"""Environments made for a run and kept in the user's cache: releases from the package index, and source checkouts."""
