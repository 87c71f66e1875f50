"""Measurements: layers composed into one Measurement, and the runner that starts them.

    prober                 measures one endpoint from one vantage
    follow_up              tests that tell the causes of a failure apart
    follow_up_plan         what to ask about a failure
    follow_up_reasons      the reasons of their observations
    flow_counts            handshakes made to count how many are cut off
    other_hello            the endpoint greeted in another form of TLS greeting
    small_segments         the endpoint greeted in small packets
    offered                what a platform says of one public page
    transfer               bytes over time on one object
    exit_address           the vantage's public address
    runner                 rate, concurrency and order of measurements
    vantage_context        what all measurements of a vantage share, with:
      learnt_exits         its public addresses, for the scrubber alone
      line_pace            how long its line's handshakes take
      ordered_addresses    limits on what an order may reach
      verified_addresses   where a name's certificate verified before
    measurement_run        which questions each kind of endpoint is asked, with:
      unscrubbed_record    what it has observed so far
      resolution           host names; stream_query: one question over a stream
      connections          TCP and TLS
      proxied_connections  the same at a proxy's far side
      redirect_chain       HTTP requests
      application_protocols  chat servers' protocols, STUN, NTP and HTTP/3
    fetch, doh             an HTTPS request on the side; DNS over HTTPS
    traceroute             how far requests for a connection come
    concurrently           coroutines in parallel

monitor.measuring imports it, and others only its values. It imports layers and sockets.
"""
