"""nDPI through nfstream over one capture: how many flows it sees (run by an interpreter that has nfstream)."""

import sys

from nfstream import NFStreamer

if __name__ == "__main__":
    print(sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=20, statistical_analysis=False)))
