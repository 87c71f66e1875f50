"""Decides whether the vantage itself works, before anybody is accused.

health.py          references → health, by an ordered table of rules
clock.py           how wrong the vantage's clock is
exit_location.py   whether its traffic leaves from where its configuration says
"""
