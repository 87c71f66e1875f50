"""Probes measure and record. They never judge: an observation holds what the network showed.

Rooms, from the top down; each imports only those below it:

    testing        a scripted Network, for tests
    measure/       one measurement composed of layers; follow-ups; transfers; the runner
    layers/        one protocol each
    sockets/       the only owner of sockets; exceptions → failure strings; HTTP clients
    measurement    Measurement and its Observations, which every other package reads
    target, settings, vantage, failure_strings  the other values
    catalog/       what is measured

Every package may import probes. Probes import neither monitor nor storage.
"""
