"""The detection `rival_miner_cleanup`."""
