"""Decides whether the vantage itself works, before anybody is accused.

health.py          references → health, by an ordered table of rules
reference_facts.py what the references of one cycle show
abroad.py          how much of what is abroad it reaches: all, a list of sites, names alone, nothing
loss.py            how many packets its line loses
clock.py           how wrong the vantage's clock is
exit_location.py   whether its traffic leaves from where its configuration says
"""
