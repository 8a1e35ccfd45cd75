"""nDPI through nfstream over one capture: how many flows it sees (run by an interpreter that has nfstream).

`PYTHON bench/peer_nfstream.py CAPTURE --flows` prints each instead: its two ends, packets, nDPI's application. A
capture that begins after a connection's first packet may name the ends the wrong way round.
"""

import sys

from nfstream import NFStreamer

if __name__ == "__main__":
    flows = NFStreamer(source=sys.argv[1], n_dissections=20, statistical_analysis=False)
    if "--flows" in sys.argv:
        for flow in sorted(flows, key=lambda each: each.bidirectional_first_seen_ms):
            ends = f"{flow.src_ip}:{flow.src_port} {flow.dst_ip}:{flow.dst_port}"
            print(ends, flow.bidirectional_packets, flow.application_name)
    else:
        print(sum(1 for _ in flows))
