"""Requests and answers: what holds for every route, whatever it is about."""
