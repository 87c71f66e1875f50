"""Measurements that others took: who they are, how they are asked, and servers that answer so."""
