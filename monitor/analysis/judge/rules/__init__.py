"""The rules of the judge: one module for each question they answer.

rule.py   what a rule is, and its usual forms
table.py  all rules, in the order in which they are tried
"""
